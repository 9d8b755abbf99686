"""The errors a user can cause or meet. One place prints them: :mod:`mcugen.cli`.

Every message is built from three parts: what is wrong, where, and what to try. Exit code 2.
Anything that is not a :class:`McugenError` is a bug in mcugen and keeps its traceback.
"""

from __future__ import annotations


class McugenError(Exception):
    """Root of all errors that are not mcugen's own fault.

    Args:
        what: one sentence (no full stop needed) that says what is wrong.
        where: the layer, op index, file, or board field concerned.
        hint: what the user can try.
    """

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        self.what = what
        self.where = where
        self.hint = hint
        super().__init__(self.__str__())

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}. {self.hint}" if self.hint else text


class ModelError(McugenError):
    """The model file cannot be read, or holds something that no runtime here can run."""


class UnsupportedOpError(ModelError):
    """An op, or a use of it, that the chosen runtime has no kernel for."""


class CustomOpError(ModelError):
    """A user's own operator whose files cannot be used."""


class DataError(McugenError):
    """Calibration or input data of the wrong shape, type or range."""


class FrontEndError(McugenError):
    """A front end's settings, or frames, that it cannot take."""


class PipelineError(McugenError):
    """A pipeline file that breaks the format, or does not go with its model."""


class ConversionError(McugenError):
    """A model could not be converted to full int8."""


class BoardError(McugenError):
    """An unknown board, or a board file that breaks the format."""


class DoesNotFitError(McugenError):
    """The model needs more flash or RAM than the board has."""


class ToolError(McugenError):
    """A compiler, emulator or PlatformIO is missing, has the wrong version, or failed."""


class ProjectError(McugenError):
    """An output folder that is not mcugen's, or a project that was changed behind its back."""


class DeviceError(McugenError):
    """The device did not answer, answered nonsense, or reported a fault."""


class TrainingError(McugenError):
    """Layers or settings that cannot be trained on a device."""

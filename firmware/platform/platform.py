# SPDX-License-Identifier: Apache-2.0
"""The project's own PlatformIO platform: all it does is in builder/main.py."""

from platformio.platform.base import PlatformBase


class McugenPlatform(PlatformBase):
    """PlatformIO finds this class by its name."""

    def is_embedded(self):
        return True

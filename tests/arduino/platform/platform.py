from platformio.platform.base import PlatformBase


class TeensyPlatform(PlatformBase):
    def is_embedded(self):
        return True

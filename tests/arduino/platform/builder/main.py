import os

from SCons.Script import AlwaysBuild, Builder, Default, DefaultEnvironment

env = DefaultEnvironment()
core = ["-mcpu=cortex-m7", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv5-d16"]
env.Replace(
    AR="arm-none-eabi-gcc-ar",
    CC="arm-none-eabi-gcc",
    CXX="arm-none-eabi-g++",
    LINK="arm-none-eabi-g++",
    OBJCOPY="arm-none-eabi-objcopy",
    RANLIB="arm-none-eabi-gcc-ranlib",
    PROGNAME="firmware",
    PROGSUFFIX=".elf",
)
env.Append(
    CCFLAGS=[*core, "-Os", "-ffunction-sections", "-fdata-sections"],
    LINKFLAGS=[
        *core,
        "--specs=nano.specs",
        "--specs=nosys.specs",
        "-Wl,--gc-sections",
        "-Wl,-Ttext-segment=0x60000000",
        "-Wl,-Tdata=0x20000000",
    ],
    BUILDERS={"Binary": Builder(action="$OBJCOPY -O binary $SOURCES $TARGET", suffix=".bin")},
)
firmware = env.BuildProgram()
binary = env.Binary("$BUILD_DIR/firmware", firmware)
AlwaysBuild(env.Alias("upload", [firmware, binary], os.environ["UPLOADER"] + " $UPLOAD_PORT"))
Default([firmware, binary])

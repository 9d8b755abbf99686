"""Builds the firmware with the arm-none-eabi GCC of this computer; PlatformIO runs this with SCons.

All flags come from the board's manifest, boards/<board>.json beside this folder.
"""

import shutil
import sys

from SCons.Script import AlwaysBuild, Builder, Default, DefaultEnvironment

env = DefaultEnvironment()
build = env.BoardConfig().get("build")

if shutil.which("arm-none-eabi-gcc", path=env["ENV"].get("PATH")) is None:
    sys.stderr.write("Error: arm-none-eabi-gcc: not found. Install gcc-arm-none-eabi and libnewlib-arm-none-eabi\n")
    env.Exit(1)

env.Replace(
    AR="arm-none-eabi-gcc-ar",
    AS="arm-none-eabi-gcc",
    CC="arm-none-eabi-gcc",
    CXX="arm-none-eabi-g++",
    GDB="arm-none-eabi-gdb",
    LINK="arm-none-eabi-gcc",
    OBJCOPY="arm-none-eabi-objcopy",
    RANLIB="arm-none-eabi-gcc-ranlib",
    SIZETOOL="arm-none-eabi-size",
    ARFLAGS=["rcD"],
    # Sections as in the linker script: what lies in flash, then what lies in RAM.
    SIZECHECKCMD="$SIZETOOL -B -d $SOURCES",
    SIZEPROGREGEXP=r"^\s*(\d+)\s+(\d+)\s+\d+\s",
    SIZEDATAREGEXP=r"^\s*\d+\s+(\d+)\s+(\d+)\s+\d+",
    SIZEPRINTCMD="$SIZETOOL -B -d $SOURCES",
    PROGNAME="firmware",
    PROGSUFFIX=".elf",
)

env.Append(
    ASFLAGS=["-x", "assembler-with-cpp", *build["compile_flags"]],
    # -g costs no flash: it lets the address of a fault be told as a line.
    CCFLAGS=[
        *build["compile_flags"],
        "-Os",
        "-g",
        "-Wall",
        "-Wextra",
        "-Werror=implicit-function-declaration",
        '-ffile-prefix-map="$$PWD"=.',  # the shell puts the project's folder in, whatever its name is
    ],
    CFLAGS=["-std=c99"],
    CXXFLAGS=["-std=c++17", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics"],
    # Names as the compiler mangles them: demangled ones hold spaces, and the map is read by column.
    LINKFLAGS=[*build["link_flags"], "-Wl,--cref", "-Wl,--no-demangle", "-Wl,-Map=${TARGET.base}.map"],
    LIBS=["m"],  # for the kernels of float32 models; nothing of it is linked where nobody calls it
    BUILDERS={
        "ElfToBin": Builder(
            action=env.VerboseAction("$OBJCOPY -O binary $SOURCES $TARGET", "Building $TARGET"),
            suffix=".bin",
        ),
    },
)
firmware = env.BuildProgram()
binary = env.ElfToBin("$BUILD_DIR/${PROGNAME}", firmware)
env.SideEffect("$BUILD_DIR/${PROGNAME}.map", firmware)
env.Depends(firmware, env.File("$PROJECT_DIR/" + build["linker_script"]))

env.AddPlatformTarget("size", firmware, env.VerboseAction("$SIZEPRINTCMD", "Sizes of $SOURCE"), "Program Size")
AlwaysBuild(env.Alias("buildprog", [firmware, binary]))
Default([firmware, binary])

# SPDX-License-Identifier: Apache-2.0
"""Builds the firmware with the cross GCC of this computer; PlatformIO runs this with SCons.

All flags come from the board's manifest, boards/<board>.json beside this folder.
"""

import shutil
import sys

from SCons.Script import AlwaysBuild, Builder, Default, DefaultEnvironment

env = DefaultEnvironment()
build = env.BoardConfig().get("build")

tools = build["tools"]  # what their names begin with

if shutil.which(tools + "gcc", path=env["ENV"].get("PATH")) is None:
    sys.stderr.write(f"Error: {tools}gcc: not found. Install {build['install']}\n")
    env.Exit(1)

env.Replace(
    AR=tools + "gcc-ar",
    AS=tools + "gcc",
    CC=tools + "gcc",
    CXX=tools + "g++",
    GDB=tools + "gdb",
    LINK=tools + "gcc",
    OBJCOPY=tools + "objcopy",
    RANLIB=tools + "gcc-ranlib",
    SIZETOOL=tools + "size",
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
        '-ffile-prefix-map="$$PWD"=.',  # the shell puts the project's folder in, whatever its name is
    ],
    CFLAGS=["-std=c99", "-Werror=implicit-function-declaration"],
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

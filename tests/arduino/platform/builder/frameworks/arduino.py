import os

Import("env")  # noqa: F821

shim = os.environ["ARDUINO_SHIM"]
env.Append(CPPPATH=[shim])  # noqa: F821
env.BuildSources("$BUILD_DIR/FrameworkArduino", shim, "+<arm.cpp>")  # noqa: F821

"""The TFLM runtime: firmware around TensorFlow Lite Micro, behind the same model interface as the ahead-of-time one."""

"""The bundled model for other runtimes: one graph from raw crops to answers, written as LiteRT, ONNX or SavedModel."""

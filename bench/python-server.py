"""The same model in the same runtime as a replica of ours, behind the web server that Python people take for it.

    python-server.py MODEL THREADS

One worker. It says its port on a line of its own once it listens, and ends with its standard input.
"""

import asyncio
import json
import os
import socket
import sys
import threading

import numpy
import onnxruntime
import starlette
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


def session_of(path: str, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


session = session_of(sys.argv[1], int(sys.argv[2]))
input_name = session.get_inputs()[0].name


async def invoke(request: Request) -> JSONResponse:
    rows = json.loads(await request.body())["instances"]
    # In the event loop, as a replica of ours infers: handing over to a thread costs more than a small model takes.
    outputs = session.run(None, {input_name: numpy.asarray(rows, dtype=numpy.float32)})
    # The model gives one value a row, and a prediction is that value.
    return JSONResponse({"predictions": outputs[0].squeeze(axis=-1).tolist()})


def main() -> None:
    listener = socket.socket()
    # Handed down to every connection; uvicorn leaves it out for a socket that it did not make, and then each answer
    # waits 40 ms for the caller's delayed acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.bind(("127.0.0.1", 0))
    app = Starlette(routes=[Route("/invocations", invoke, methods=["POST"])])
    config = uvicorn.Config(app, log_level="error", access_log=False, timeout_keep_alive=65, lifespan="off")
    server = uvicorn.Server(config)

    def end_with_input() -> None:
        sys.stdin.read()
        os._exit(0)

    threading.Thread(target=end_with_input, daemon=True).start()
    versions = {"onnxruntime": onnxruntime.__version__, "starlette": starlette.__version__, "uvicorn": uvicorn.__version__}
    listener.listen(2048)
    print(json.dumps({"port": listener.getsockname()[1], "versions": versions}), flush=True)
    asyncio.run(server.serve(sockets=[listener]))


main()

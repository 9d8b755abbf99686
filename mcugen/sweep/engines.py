"""Where jobs run: in processes of this machine, or on a Dask cluster."""

from __future__ import annotations

import importlib
import itertools
import subprocess
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ThreadPoolExecutor, wait
from typing import Any, Literal

from mcugen.children import end_tree
from mcugen.errors import ToolError
from mcugen.sweep.jobs import Job, Outcome, run_job

EngineName = Literal["local", "dask"]

_LOSSES = 3
"""Workers that a job may lose before it counts as failed."""
_CONNECT = "10s"


def run_jobs(
    jobs: Mapping[Job, bytes], engine: EngineName, workers: int, scheduler: str | None = None
) -> Iterator[Outcome]:
    """Run all jobs; outcomes come in the order in which they end.

    Args:
        workers: jobs at the same time; of Dask's own cluster on this machine, its workers.
        scheduler: address of a running Dask cluster, whose machines need mcugen and its tools.

    Raises:
        ToolError: Dask is not installed, or there is no cluster at the address.
    """
    if engine == "dask":
        return _on_dask(jobs, workers, scheduler)
    return _in_processes(jobs, workers)


def _in_processes(jobs: Mapping[Job, bytes], workers: int) -> Iterator[Outcome]:
    # Threads: each only waits for the process that does the job.
    with ThreadPoolExecutor(workers) as pool, _Processes() as processes:
        pending: set[Future[Outcome]] = {
            pool.submit(run_job, job, model, started=processes.add) for job, model in jobs.items()
        }
        try:
            while pending:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        finally:
            for future in pending:
                future.cancel()


class _Processes:
    """The running jobs. Whoever leaves early, by Ctrl-C or SIGTERM, does not wait for them."""

    def __init__(self) -> None:
        self._lock, self._running, self._ended = threading.Lock(), list[subprocess.Popen[Any]](), False

    def add(self, process: subprocess.Popen[Any]) -> None:
        with self._lock:
            self._running = [each for each in self._running if each.poll() is None] + [process]
            if self._ended:
                end_tree(process)

    def __enter__(self) -> _Processes:
        return self

    def __exit__(self, *_unused: object) -> None:
        with self._lock:
            self._ended = True
            for process in self._running:
                end_tree(process)


def _on_dask(jobs: Mapping[Job, bytes], workers: int, scheduler: str | None) -> Iterator[Outcome]:
    try:
        dask, distributed = (importlib.import_module(name) for name in ("dask", "distributed"))
    except ImportError as error:
        raise ToolError("Dask is not installed", hint="Install it: pip install 'mcugen[dask]'") from error
    settings = {"distributed.scheduler.allowed-failures": _LOSSES, "distributed.comm.timeouts.connect": _CONNECT}
    with dask.config.set(settings):
        try:
            local = {"n_workers": workers, "threads_per_worker": 1}
            client: Any = distributed.Client(scheduler) if scheduler else distributed.Client(**local)
        except (OSError, ValueError) as error:
            raise ToolError(
                f"no Dask scheduler responds: {error}", where=scheduler or "", hint="Pass its address: tcp://host:8786"
            ) from error
        with client:
            together = sum(client.nthreads().values()) or workers
            lost = {}
            for job, outcome in _stream(client, jobs, together):
                if outcome is None:
                    lost[job] = jobs[job]
                else:
                    yield outcome
            # A job that ends its worker takes down others that wait there; alone it is the only one to blame.
            for job, outcome in _stream(client, lost, 1):
                text = f"every worker that took it was lost ({_LOSSES} times and more)"
                yield outcome or Outcome(job.key, job.model, job.board, "failed", text=text)


def _result(future: Any) -> Outcome | None:
    """What a job gave; None where its workers were lost, be it after it had ended."""
    killed = importlib.import_module("distributed").KilledWorker
    try:
        outcome: Outcome = future.result()
    except (killed, CancelledError):
        return None
    return outcome


def _stream(client: Any, jobs: Mapping[Job, bytes], together: int) -> Iterator[tuple[Job, Outcome | None]]:
    """The jobs' outcomes as they come, None where the job was lost with its workers; at most `together` at a time."""
    as_completed = importlib.import_module("distributed").as_completed
    waiting = iter(jobs.items())

    def submit(job: Job, model: bytes) -> Any:
        future = client.submit(run_job, job, model, pure=False)
        running[future] = job
        return future

    running: dict[Any, Job] = {}
    stream = as_completed([submit(*item) for item in itertools.islice(waiting, together)])
    for future in stream:
        yield running.pop(future), _result(future)
        for item in itertools.islice(waiting, 1):
            stream.add(submit(*item))

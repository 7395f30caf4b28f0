"""What may go wrong on the road, as our own errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

from ..errors import Cancelled, ExportError, InternalError, OutOfMemory, SourceFailed
from ..registry import Surroundings
from ..sinks.written import explain as explain_os_error


@contextmanager
def explained(here: Surroundings) -> Iterator[None]:
    """Let nothing but our own errors out; what nobody foresaw keeps its traceback as the cause."""
    try:
        yield
    except ExportError as error:
        if here.cancelled.is_set() and not isinstance(error, Cancelled):
            raise Cancelled("The export was cancelled.") from error
        raise
    except MemoryError as error:
        raise OutOfMemory(
            "The export needs more memory than there is.",
            hint="Export fewer columns or rows, or raise memory_limit_per_job.",
        ) from error
    except OSError as error:
        if isinstance(error, pa.ArrowException):
            raise _of_arrow(error) from error
        raise explain_os_error(error, here.target.name) from error
    except pa.ArrowException as error:
        raise _of_arrow(error) from error
    except Exception as error:  # the promise of ``run``: the worker and the user see one sentence
        if here.cancelled.is_set():
            # a driver that is interrupted may still complain while it is closed
            raise Cancelled("The export was cancelled.") from error
        raise InternalError(
            f"The export stopped on an unexpected {type(error).__name__}.",
            hint="The log has the details.",
        ) from error


def _of_arrow(error: Exception) -> ExportError:
    first = str(error).strip().split("\n", 1)[0].rstrip(".")
    if isinstance(error, pa.ArrowMemoryError):
        return OutOfMemory(f"The export needs more memory than there is: {first}.")
    return SourceFailed(f"The data cannot be exported as it is: {first}.")

"""The process that probes: loads what it needs, enters the cage, then opens the film.

Run as ``python -I -S prober.py LIMITS -- probe SOURCE [WHOLE]`` with the LIMITS of `launch.py`;
tells the facts, or why there are none, as JSON on stdout. A fresh process, not a fork of the job:
it has neither the job's secrets and connections nor its threads' locks.
"""

import site
import sys
import types
from pathlib import Path


def main(limits: str, source: str, whole: str = "") -> None:
    """Probe ``source`` under ``limits`` and tell; ``whole`` is the size that it will have."""
    site.main()
    # The real package's __init__ wires the whole application, which takes a second.
    application = types.ModuleType("app")
    application.__path__ = [str(Path(__file__).parents[1])]
    sys.modules["app"] = application
    from app.media.encoding import refused, told
    from app.media.errors import MediaError
    from app.media.launch import enter
    from app.media.probe import probe

    enter(limits)
    with open(source, "rb"):
        pass  # a file that may not be read is not the film's fault: fail before it is blamed
    try:
        answer = told(probe(Path(source), int(whole) if whole else None))
    except MediaError as error:
        answer = refused(error)
    sys.stdout.write(answer)


if __name__ == "__main__":
    main(sys.argv[1], *sys.argv[4:])

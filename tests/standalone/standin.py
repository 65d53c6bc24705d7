"""A small site for the supervisor's tests: `python standin.py FOLDER [--with-make]`.

Its programs write their process ids into FOLDER. `stubborn` ignores SIGTERM, and has a child in a
process group of its own that ignores it as well.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from standalone.lock import take_lock
from standalone.logs import Log
from standalone.parent import Parent
from standalone.processes import Program, Stopped, Supervisor

GENTLE = """
import os, pathlib, sys, time
pathlib.Path(sys.argv[1], f"gentle-{os.getpid()}").touch()
time.sleep(600)
"""
STUBBORN = """
import os, pathlib, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setpgid(0, 0)
pathlib.Path(sys.argv[1], f"stubborn-{os.getpid()}").touch()
time.sleep(600)
"""


def main() -> None:
    folder = Path(sys.argv[1])
    parent = Parent() if "--with-make" in sys.argv else None
    (folder / "run").mkdir(exist_ok=True)
    supervisor = Supervisor(held=[take_lock(folder)])
    supervisor.listen()
    try:
        if parent is not None:
            supervisor.watch(lambda: supervisor.ask() if parent.wants_end() else None)
        for name, source in (("gentle", GENTLE), ("stubborn", STUBBORN)):
            if name == "gentle" or "--stubborn" in sys.argv:
                command = [sys.executable, "-c", source, str(folder)]
                supervisor.start(Program(name, command, {}, Log(folder / f"{name}.log")))
        supervisor.restarting = True
        (folder / "supervisor").write_text(str(os.getpid()))
        while True:
            supervisor.pause(60)
    except Stopped:
        print("stopping", flush=True)
    finally:
        supervisor.stop()


if __name__ == "__main__":
    main()

"""Speed and memory of a running Videoflix, as figures with goals: `make bench`.

Nothing here is part of the application. A site is started as `make run` starts it, with a folder,
a port and an account of its own, and is used over HTTP as a program would use it. Wherever a number
would say more about the machine than about Videoflix, it is measured beside another one in the same
run, in turns, and their ratio is reported.
"""

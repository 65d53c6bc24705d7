"""Work in the background: the queue, the dispatcher, the jobs, the reconciler, the workers.

Importing the package opens no other module of it: accounts and films use the queue alone.
"""

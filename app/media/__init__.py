"""A plain FFmpeg library: from an uploaded file to a grid of final HLS segments.

It knows nothing of the web, the database or the queue. It may import the standard library,
``ffmpeg`` (which builds filter graphs), ``av`` (which probes) and ``imageio_ffmpeg`` (a binary).
"""

"""Labeling in a browser: on a server without a screen, on a phone, and with several people at once.

`app.create_app` is the whole of it as an ASGI application, `serving.serve` runs that at an address. `pages/` is what
the browser loads, plain files.
"""

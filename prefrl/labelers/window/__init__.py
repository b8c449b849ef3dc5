"""The labeling window: two clips side by side, and a key says which is better."""

from __future__ import annotations

import os

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
os.environ.setdefault("SDL_FRAMEBUFFER_ACCELERATION", "0")  # no OpenGL beside MuJoCo's (black windows)

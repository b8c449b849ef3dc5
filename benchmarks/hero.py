"""Draws the README's pictures from a run: its episodes before, midway and after side by side, as an animated WebP.

    python benchmarks/hero.py runs/Hopper-default-700-seed-0 docs/images/hopper.webp

Of a run that ended before it was half over there is no episode midway.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from prefrl_envs.rendering import Renderer
from prefrl_envs.suite import entry
from safetensors.numpy import load_file

from prefrl.runs import RunFolder

SECONDS, FPS = 5, 20
EPISODES = ("before", "midway", "after")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("picture", type=Path)
    args = parser.parse_args()
    run = RunFolder(args.run)
    config = run.config()
    row = entry(config.env_id)
    fps, size = min(FPS, row.fps), (320, 210) if row.scored else (240, 240)
    every = max(1, round(row.fps / fps))
    episodes = {name: load_file(run.episode(name)) for name in EPISODES if run.episode(name).exists()}
    with Renderer(config.task, *size) as renderer:
        clips = [
            renderer.draw(episode["render_states"][: SECONDS * fps * every : every]) for episode in episodes.values()
        ]
    returns = {name: f"true return {each['true_rewards'].sum():,.0f}" for name, each in episodes.items()}
    captions = [name if row.measure else f"{name}: {returned}" for name, returned in returns.items()]
    frames = [captioned(np.concatenate(parts, axis=1), captions) for parts in zip(*clips, strict=True)]
    kind = {"lossless": True} if row.scored else {"quality": 60}  # a console's flat colors are smaller as they are
    frames[0].save(
        args.picture, save_all=True, append_images=frames[1:], duration=1000 // fps, loop=0, method=6, **kind
    )
    print(f"{args.picture}: {args.picture.stat().st_size / 1e3:.0f} KB")


def captioned(row: np.ndarray, captions: list[str]) -> Image.Image:
    """One frame [H, W, 3], and below it what each of its parts is."""
    below = np.full((24, *row.shape[1:]), (20, 24, 32), np.uint8)
    image = Image.fromarray(np.concatenate([row, below]))
    pen = ImageDraw.Draw(image)
    for i, caption in enumerate(captions):
        left = i * image.width // len(captions)
        pen.text((left + 10, len(row) + 5), caption, fill=(240, 240, 240), font_size=13)
    return image


if __name__ == "__main__":
    main()

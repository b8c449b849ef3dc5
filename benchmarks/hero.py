"""Draws the README's picture from a run: before, midway and after side by side, as an animated WebP.

python benchmarks/hero.py runs/Hopper-default-700-seed-0 docs/images/hopper.webp
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

SIZE, SECONDS, FPS = 240, 5, 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("picture", type=Path)
    args = parser.parse_args()
    run = RunFolder(args.run)
    config = run.config()
    every = max(1, round(entry(config.env_id).fps / FPS))
    with Renderer(config.env_id, SIZE, SIZE) as renderer:
        clips = [
            renderer.draw(load_file(run.episode(name))["render_states"][: SECONDS * FPS * every : every])
            for name in ("before", "midway", "after")
        ]
    returns = [load_file(run.episode(name))["true_rewards"].sum() for name in ("before", "midway", "after")]
    frames = [captioned(np.concatenate(row, axis=1), returns) for row in zip(*clips, strict=True)]
    frames[0].save(
        args.picture, save_all=True, append_images=frames[1:], duration=1000 // FPS, loop=0, quality=60, method=6
    )
    print(f"{args.picture}: {args.picture.stat().st_size / 1e3:.0f} KB")


def captioned(row: np.ndarray, returns: list[float]) -> Image.Image:
    """One frame with what each of its three parts is."""
    image = Image.fromarray(row)
    pen = ImageDraw.Draw(image)
    for i, (name, value) in enumerate(zip(("before", "midway", "after"), returns, strict=True)):
        pen.rectangle((i * SIZE, SIZE - 24, (i + 1) * SIZE - 2, SIZE), fill=(20, 24, 32))
        pen.text((i * SIZE + 10, SIZE - 19), f"{name}: true return {value:,.0f}", fill=(240, 240, 240), font_size=13)
    return image


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Renders the demo's image sequence: a star field that drifts in a small circle, as 16 bit grey PNG files.

    examples/data/render_starfield.py examples/data/starfield

Needs nothing but Python. The same files come out each time; the last frame leads back to the first.
"""

import math
import random
import struct
import sys
import zlib
from pathlib import Path

WIDTH, HEIGHT, FRAMES = 320, 240, 16
DRIFT_RADIUS = 14.0
SKY, VIGNETTE, NOISE = 900, 120, 2
STAR_RADIUS = 6


def stars(random_numbers):
    """(x, y, peak, sigma) of each star; one is far brighter than the rest."""
    field = [(random_numbers.uniform(20, WIDTH - 20), random_numbers.uniform(20, HEIGHT - 20),
              40 * 10 ** random_numbers.uniform(0, 1.8), random_numbers.uniform(1.0, 1.6)) for _ in range(60)]
    return field + [(150.0, 110.0, 30000, 1.8)]


def render(frame, field, random_numbers):
    angle = 2 * math.pi * frame / FRAMES
    dx, dy = DRIFT_RADIUS * math.cos(angle), DRIFT_RADIUS * math.sin(angle)
    pixels = []
    for y in range(HEIGHT):
        for x in range(WIDTH):
            off_axis = ((x - WIDTH / 2) / WIDTH) ** 2 + ((y - HEIGHT / 2) / HEIGHT) ** 2
            pixels.append(SKY - VIGNETTE * off_axis + random_numbers.randint(-NOISE, NOISE))
    for star_x, star_y, peak, sigma in field:
        cx, cy = star_x + dx, star_y + dy
        for y in range(max(0, int(cy) - STAR_RADIUS), min(HEIGHT, int(cy) + STAR_RADIUS + 1)):
            for x in range(max(0, int(cx) - STAR_RADIUS), min(WIDTH, int(cx) + STAR_RADIUS + 1)):
                distance = (x - cx) ** 2 + (y - cy) ** 2
                pixels[y * WIDTH + x] += peak * math.exp(-distance / (2 * sigma * sigma))
    return [max(0, min(65535, round(value))) for value in pixels]


def png(pixels):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = []
    for y in range(HEIGHT):
        row = struct.pack(f">{WIDTH}H", *pixels[y * WIDTH:(y + 1) * WIDTH])
        left = bytes(2) + row[:-2]  # filter 1: each byte minus the one a pixel to the left
        rows.append(b"\x01" + bytes((value - before) & 255 for value, before in zip(row, left)))
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 16, 0, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"".join(rows), 9)) +
            chunk(b"IEND", b""))


def main():
    directory = Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    random_numbers = random.Random(1968)
    field = stars(random_numbers)
    for frame in range(FRAMES):
        (directory / f"starfield-{frame:02}.png").write_bytes(png(render(frame, field, random_numbers)))


if __name__ == "__main__":
    main()

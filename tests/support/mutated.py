"""What a file is like after an accident, or after an attack."""

import io
import zipfile

import numpy as np


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """A few bits flipped, bytes replaced, a piece lost, doubled or moved, the rest cut off."""
    data = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        if not data:
            break
        here, length = int(rng.integers(len(data))), int(rng.integers(1, 20))
        piece = data[here : here + length]
        match rng.integers(6):
            case 0:
                data[here] ^= 1 << int(rng.integers(8))
            case 1:
                data[here : here + length] = rng.bytes(length)
            case 2:
                del data[here : here + length]
            case 3:
                data[here:here] = piece * int(rng.integers(1, 50))
            case 4:
                del data[here:]
            case _:
                there = int(rng.integers(len(data)))
                data[there : there + length] = piece
    return bytes(data)


def remade(content: bytes, rng: np.random.Generator) -> bytes:
    """An archive with a member mutated, whose checksums are right again and whose seal is gone."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = str(rng.choice([name for name in members if members[name]]))
    members[name] = mutated(members[name], rng)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return made.getvalue()

"""Where steps and solutions end, read from the bytes written so far, the plain way."""

import re

MAX_DEPTH = 8


def holds_answer(step, marker):
    """Say whether a step holds the whole marker and, if that ends in a brace, its other brace."""
    start = 0
    while marker and (found := step.find(marker, start)) >= 0:
        start = found + len(marker)
        if not marker.endswith(b"{"):
            return True
        depth, place = 1, start
        while place < len(step) and 0 < depth <= MAX_DEPTH:
            depth += {b"{": 1, b"}": -1}.get(step[place : place + 1], 0)
            place += 2 if step[place : place + 1] == b"\\" else 1
        if depth == 0:
            return True
        start = place
    return False


def unfinished(step, separator):
    """Return a step without what may yet be a separator."""
    num = next(n for n in range(len(separator) - 1, -1, -1) if step.endswith(separator[:n]))
    return step[: len(step) - num]


def events(pieces, separator, marker):
    """Say what each token does: (step ends, answer here, visible, head)."""
    data, found = b"", []
    for piece in pieces:
        start, data = len(data), data + piece
        ends = [m.end() for m in re.finditer(re.escape(separator), data)]
        steps = [data[a : b - len(separator)] for a, b in zip([0, *ends], ends, strict=False)]
        new = [step for step, end in zip(steps, ends, strict=True) if end > start]
        here = new or [data[ends[-1] if ends else 0 :]]
        answer = any(holds_answer(step, marker) for step in here)
        visible = any(step.strip() for step in (new or [unfinished(here[0], separator)]))
        head = min(next(end for end in ends if end > start) - start, len(separator) + 1) if new else 0
        found.append((bool(new), answer, visible, head))
    return found


def of_tokens(model, ids):
    """Say what each of a model's tokens does, and whether it ends a text."""
    encoding = model.encoding
    pieces, marker = [encoding.token_bytes[i] for i in ids], model.layout.answer_marker.encode()
    return [
        (*event, i in encoding.end_ids)
        for i, event in zip(ids, events(pieces, encoding.separator, marker), strict=True)
    ]

from benchmarks.ours import searching


def test_re_reading_finds_the_same_solution_and_reads_more(task):
    options = ({"cached": True}, {"cached": False}, {"cached": False, "each": True})
    cached, reread, each = (searching.make(task, calculator=False, **option).run() for option in options)
    assert cached["solution_crc32"] == reread["solution_crc32"] == each["solution_crc32"]
    assert reread["rm_tokens"] > cached["rm_tokens"] > 0

from benchmarks.ours import searching


def test_re_reading_finds_the_same_solution_and_reads_more(task):
    cached, reread = (searching.make(task, cached=cached, calculator=False).run() for cached in (True, False))
    assert cached["solution_crc32"] == reread["solution_crc32"]
    assert reread["rm_tokens"] > cached["rm_tokens"] > 0

"""Our picture of the exchange's token buckets, against an exchange that counts for itself."""

import asyncio

import pytest
from attrs import define
from hypothesis import example, given
from hypothesis import strategies as st

from copytrade.adapters.clob.pacing import CANCELS, ORDERS, Bucket, Limit
from copytrade.app.loop import CANCEL_SEC
from tests.adapters.clob.virtual_time import run_virtually


@define
class Counting:
    """The exchange's own bucket (API.md, Limits): full at first, a batch is served whole or not at all."""

    limit: Limit
    level: float
    at: float = 0.0

    def served(self, cost: int) -> bool:
        now = asyncio.get_running_loop().time()
        self.level = min(self.level + (now - self.at) * self.limit.per_sec, self.limit.burst)
        self.at = now
        if cost > self.level + 1e-6:  # the rounding of floats
            return False
        self.level -= cost
        return True


def sent(limit, batches):
    """Send batches of (pause before, cost, way there, way back); (seconds, [(index, sent at, served)])."""
    told = []

    async def one(index, bucket, exchange, cost, there, back):
        async with bucket.spend(cost) as go:
            assert go
            at = asyncio.get_running_loop().time()
            await asyncio.sleep(there)
            told.append((index, at, exchange.served(cost)))
            await asyncio.sleep(back)

    async def talk():
        bucket, exchange = Bucket(limit), Counting(limit, level=limit.burst)
        async with asyncio.TaskGroup() as group:
            for index, (pause, cost, there, back) in enumerate(batches):
                if pause:
                    await asyncio.sleep(pause)
                group.create_task(one(index, bucket, exchange, cost, there, back))

    seconds, _ = run_virtually(talk())
    return seconds, told


WAYS = st.sampled_from([0.0, 0.001, 0.02, 0.1, 0.4, 3.0])


class TestTheExchangeNeverRefusesForHaste:
    """Rules 1 and 2: ours never shows more than the exchange's has, however long the ways there and back are."""

    @given(
        st.lists(
            st.tuples(st.sampled_from([0.0, 0.0, 0.0, 0.05, 0.3, 2.0]), st.integers(1, 15), WAYS, WAYS), max_size=40
        )
    )
    # The first four take a while to get there, and the exchange's full bucket gains nothing while they do.
    @example([(0.0, 15, 0.4, 0.0)] * 4 + [(0.0, 15, 0.0, 0.0)])
    def test_whatever_the_ways(self, batches):
        limit = Limit(burst=60, per_sec=40)
        _, told = sent(limit, batches)
        assert [served for _, _, served in told] == [True] * len(batches)

    @pytest.mark.parametrize(
        ("limit", "cost", "count", "seconds", "trips"),
        # The first burst is refilled from its answer on, and the last batch has to be answered too. A batch as large
        # as the burst must hear of the one before it.
        [(ORDERS, 15, 20, 6.0, 2), (CANCELS, 120, 3, 3.0, 3), (ORDERS, 15, 4, 0.0, 1)],
        ids=["300 orders", "360 cancels", "a burst"],
    )
    def test_and_no_slower_than_it_must(self, limit, cost, count, seconds, trips):
        """(300 - 60) / 40 = 6 s, as API.md reckons, and the ways there and back."""
        elapsed, told = sent(limit, [(0.0, cost, 0.05, 0.05)] * count)
        assert len(told) == count
        assert elapsed == pytest.approx(seconds + trips * 0.1, abs=0.01)

    def test_a_burst_leaves_together(self):
        _, told = sent(ORDERS, [(0.0, 15, 0.2, 0.2)] * 4)
        assert {at for _, at, _ in told} == {0.0}


def test_whoever_came_first_goes_first():
    """Rule 3: a batch of one does not slip past the fifteen that wait before it."""
    _, told = sent(ORDERS, [(0.0, 15, 0.0, 0.0)] * 5 + [(0.0, 1, 0.0, 0.0)])
    assert [index for index, *_ in sorted(told, key=lambda one: one[1])] == [0, 1, 2, 3, 4, 5]


class TestWhatAnswersSay:
    """Rule 4: an answer only ever lowers our picture."""

    def waited(self, status, headers, cost=40, limit=ORDERS):
        """Seconds until `cost` more can be spent after an answer to 20."""

        async def talk():
            bucket = Bucket(limit)
            async with bucket.spend(20):
                bucket.answered(status, headers)
            async with bucket.spend(cost):
                return asyncio.get_running_loop().time()

        return run_virtually(talk())[1]

    @pytest.mark.parametrize(
        ("status", "headers", "seconds"),
        [
            (200, {}, 0.0),
            (200, {"poly-ratelimit-remaining": "40"}, 0.0),
            (200, {"poly-ratelimit-remaining": "20"}, 0.5),  # somebody else trades by this signer too
            (200, {"poly-ratelimit-remaining": "4000"}, 0.0),
            (200, {"poly-ratelimit-remaining": "-7"}, 1.0),
            (200, {"poly-ratelimit-remaining": "nan"}, 0.0),
            (200, {"poly-ratelimit-remaining": "plenty"}, 0.0),
            (429, {}, 1.0),
            (429, {"retry-after": "3"}, 3.0),
            (429, {"retry-after": "3600"}, 5.0),  # as long as one cycle can wait for
            (429, {"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, 1.0),
        ],
    )
    def test_is_heeded(self, status, headers, seconds):
        assert self.waited(status, headers) == pytest.approx(seconds, abs=0.01)

    def test_a_cancel_is_asked_for_again_within_the_time_that_a_stop_has(self):
        assert self.waited(429, {"retry-after": "3600"}, limit=CANCELS) == pytest.approx(1.0, abs=0.01)
        assert CANCELS.most_waited_sec + CANCELS.burst / CANCELS.per_sec < CANCEL_SEC

    def test_it_never_gives_more(self):
        assert self.waited(200, {"poly-ratelimit-remaining": "4000"}, cost=60) == pytest.approx(0.5, abs=0.01)


class TestGivingUp:
    """A batch that need not be sent any more stops waiting, and costs nothing."""

    def test_as_soon_as_an_answer_says_so(self):
        async def talk():
            bucket, over = Bucket(Limit(burst=15, per_sec=0.001)), []

            async def first():
                async with bucket.spend(15):
                    await asyncio.sleep(0.25)
                    over.append(True)

            async def second():
                async with bucket.spend(15, unless=lambda: bool(over)) as go:
                    return go

            return (await asyncio.gather(first(), second()))[1]

        seconds, go = run_virtually(talk())
        assert seconds == pytest.approx(0.25, abs=0.01)
        assert not go

    def test_and_what_it_did_not_spend_is_there_for_the_next(self):
        async def talk():
            bucket = Bucket(ORDERS)
            async with bucket.spend(60, unless=lambda: True) as go:
                assert not go
            async with bucket.spend(60) as go:
                return go

        assert run_virtually(talk()) == (0.0, True)

"""One token, step by step (DESIGN 5, "Reconcile one token"): cancels, the band, one order, size, price, reason."""

import pytest

from copytrade.domain.model import CancelReason, Reason
from tests.domain.notation import outcome

BOOK = "book 0.49/0.51"

STEP_1_CANCELS = [
    # expired: now - ts > order_ttl_sec
    (f"want 100, {BOOK}, live BUY 25 @ 0.49 age 90", "nothing: RESTING"),
    (f"want 100, {BOOK}, live BUY 25 @ 0.49 age 90.001", "cancel live EXPIRED; BUY 25 @ 0.49"),
    (f"want 100, ttl 30, {BOOK}, live BUY 25 @ 0.49 age 31", "cancel live EXPIRED; BUY 25 @ 0.49"),
    (f"want 10, hold 100, {BOOK}, live SELL 25 @ 0.51 age 91", "cancel live EXPIRED; SELL 25 @ 0.51"),
    (f"want 100, {BOOK}, live BUY 25 @ 0.49 age -5", "nothing: RESTING"),  # clocks differ
    # on the wrong side
    (f"want 100, {BOOK}, live SELL 5 @ 0.6", "cancel live WRONG_SIDE; BUY 25 @ 0.49"),
    (f"want 50, hold 100, {BOOK}, live BUY 5 @ 0.49", "cancel live WRONG_SIDE; SELL 25 @ 0.51"),
    (f"want 50, hold 52, {BOOK}, live BUY 5 @ 0.49", "cancel live WRONG_SIDE: IN_BAND"),
    (f"want 50, hold 48, {BOOK}, live SELL 5 @ 0.6", "cancel live WRONG_SIDE: IN_BAND"),
    # older than another live one (the newest stays)
    (
        f"want 100, {BOOK}, live BUY 5 @ 0.49 age 20 #old, live BUY 5 @ 0.48 age 10 #new",
        "cancel old SECOND_ORDER: RESTING",
    ),
    (
        f"want 100, {BOOK}, live BUY 5 @ 0.49 age 10 #new, live BUY 5 @ 0.48 age 20 #b, live BUY 5 @ 0.48 age 30 #a",
        "cancel a SECOND_ORDER; cancel b SECOND_ORDER: RESTING",
    ),
    (
        f"want 100, {BOOK}, live BUY 5 @ 0.49 age 10 #a, live BUY 5 @ 0.48 age 10 #b",  # of one age: one stays
        "cancel a SECOND_ORDER: RESTING",
    ),
    (
        f"want 100, {BOOK}, live BUY 5 @ 0.49 age 20 #old, live SELL 5 @ 0.6 age 10 #new",  # the newest goes as well
        "cancel new WRONG_SIDE; cancel old SECOND_ORDER; BUY 25 @ 0.49",
    ),
    # blacklisted, left alone
    (f"want 100, {BOOK}, live BUY 5 @ 0.49, blacklisted", "cancel live BLACKLISTED: BLACKLISTED"),
    (f"want 0, hold 100, {BOOK}, live SELL 5 @ 0.51, blacklisted", "cancel live BLACKLISTED: BLACKLISTED"),
    (f"want 100, {BOOK}, live BUY 5 @ 0.49, redeemable", "cancel live LEFT_ALONE: REDEEMABLE"),
    (f"want 100, {BOOK}, live BUY 5 @ 0.49, target redeemable", "cancel live LEFT_ALONE: REDEEMABLE"),
    (f"want 0, hold 50, {BOOK}, live SELL 5 @ 0.51, copied", "cancel live LEFT_ALONE: NOT_OURS"),
    # would overshoot: its rest is more than |delta| + deadband
    (f"want 100, hold 80, {BOOK}, live BUY 23 @ 0.49", "nothing: RESTING"),
    (f"want 100, hold 80, {BOOK}, live BUY 23.01 @ 0.49", "cancel live OVERSHOOT: SETTLING"),
    (f"want 100, hold 80, {BOOK}, live BUY 25 @ 0.49, matched 2", "nothing: RESTING"),
    (f"want 80, hold 100, {BOOK}, live SELL 23 @ 0.51", "nothing: RESTING"),
    (f"want 80, hold 100, {BOOK}, live SELL 23.01 @ 0.51", "cancel live OVERSHOOT: SETTLING"),
    (f"want 0, hold 100, {BOOK}, live SELL 100 @ 0.51", "nothing: RESTING"),
    # ... or the gap is inside the deadband
    (f"want 83, hold 80, {BOOK}, live BUY 1 @ 0.49", "cancel live OVERSHOOT: IN_BAND"),
    (f"want 83.01, hold 80, {BOOK}, live BUY 1 @ 0.49", "nothing: RESTING"),
    (f"want 80, hold 83, {BOOK}, live SELL 1 @ 0.51", "cancel live OVERSHOOT: IN_BAND"),
    (f"want 80, hold 83.01, {BOOK}, live SELL 1 @ 0.51", "nothing: RESTING"),
    (f"want 80, hold 80, {BOOK}, live SELL 1 @ 0.51", "cancel live OVERSHOOT: IN_BAND"),
    (f"want 100, hold 60..100, {BOOK}, live BUY 20 @ 0.49", "cancel live OVERSHOOT: SETTLING"),
    # the first reason that applies
    (f"want 100, {BOOK}, live SELL 5 @ 0.6 age 91, blacklisted", "cancel live EXPIRED: BLACKLISTED"),
    (f"want 100, {BOOK}, live SELL 5 @ 0.6, blacklisted", "cancel live WRONG_SIDE: BLACKLISTED"),
    (f"want 100, {BOOK}, live SELL 5 @ 0.6, redeemable", "cancel live WRONG_SIDE: REDEEMABLE"),
    (
        f"want 100, {BOOK}, live SELL 5 @ 0.6 age 2 #a, live BUY 5 @ 0.4 age 1 #b, blacklisted",
        "cancel a WRONG_SIDE; cancel b BLACKLISTED: BLACKLISTED",
    ),
    (
        f"want 100, {BOOK}, live BUY 5 @ 0.4 age 2 #a, live BUY 5 @ 0.4 age 1 #b, blacklisted",
        "cancel a SECOND_ORDER; cancel b BLACKLISTED: BLACKLISTED",
    ),
    (f"want 100, hold 100, {BOOK}, live BUY 5 @ 0.4, blacklisted", "cancel live BLACKLISTED: BLACKLISTED"),
    (f"want 100, hold 100, {BOOK}, live BUY 5 @ 0.4, redeemable", "cancel live LEFT_ALONE: REDEEMABLE"),
    (
        f"want 100, hold 90, {BOOK}, live BUY 50 @ 0.4 age 2 #a, live BUY 5 @ 0.4 age 1 #b",
        "cancel a SECOND_ORDER: RESTING",
    ),
    # neither deadband, cap nor book may keep a stale order alive
    ("want 100, live BUY 25 @ 0.49 age 91", "cancel live EXPIRED: NO_BOOK"),
    ("want 100, price 0.5, live BUY 25 @ 0.49 age 91", "cancel live EXPIRED: NO_BOOK"),
    ("want 100, hold 100, live BUY 25 @ 0.49 age 91", "cancel live EXPIRED: IN_BAND"),
    ("want 100, book 0.51/0.49, live BUY 25 @ 0.49 age 91", "cancel live EXPIRED: CROSSED_BOOK"),
    (f"want 100, {BOOK}, total 0, live BUY 5 @ 0.4 age 91", "cancel live EXPIRED: TOTAL_CAP"),
    (f"want 100, {BOOK}, cap 0, live BUY 5 @ 0.4 age 91", "cancel live EXPIRED: TOKEN_CAP"),
    (f"want 100, {BOOK}, cash 0, live BUY 4 @ 0.4 age 91", "cancel live EXPIRED: NO_CASH"),
    (f"want 100, {BOOK}, on hold for 9, live BUY 4 @ 0.4 age 91", "cancel live EXPIRED: ON_HOLD"),
    (f"want 100, {BOOK}, doubt BUY 4 @ 0.4, live BUY 4 @ 0.4 age 91", "cancel live EXPIRED: IN_DOUBT"),
]

STEP_2_BAND = [
    (f"want 100, hold 97, {BOOK}", "nothing: IN_BAND"),
    (f"want 100, hold 96.99, {BOOK}", "BUY 5 @ 0.49"),
    (f"want 100, hold 103, {BOOK}", "nothing: IN_BAND"),
    (f"want 100, hold 103.01, {BOOK}", "SELL 5 @ 0.51"),
    (f"want 100, hold 100, {BOOK}, deadband 0, slice 0..25", "nothing: IN_BAND"),
    (f"want 100, hold 95, {BOOK}, deadband 0, slice 0..25", "BUY 5 @ 0.49"),
    ("want 100, hold 97", "nothing: IN_BAND"),  # no book is needed for that
    # each side trades against the end that makes it careful
    (f"want 100, hold 60..80, {BOOK}", "BUY 20 @ 0.49"),
    (f"want 100, hold 80..97, {BOOK}", "nothing: SETTLING"),
    (f"want 100, hold 80..96.99, {BOOK}", "BUY 5 @ 0.49"),
    (f"want 50, hold 60..80 by sales, {BOOK}", "SELL 10 @ 0.51"),
    (f"want 50, hold 53..80 by sales, {BOOK}", "nothing: SETTLING"),
    (f"want 50, hold 53.01..80 by sales, {BOOK}", "SELL 5 @ 0.51"),
    (f"want 0, hold 10..40, {BOOK}", "SELL 10 @ 0.51"),  # never more than lo
    (f"want 50..100, hold 40, {BOOK}", "BUY 10 @ 0.49"),  # to the near end of want
    (f"want 50..100, hold 110, {BOOK}", "SELL 10 @ 0.51"),
]

FINE = "deadband 0.5, min 0.1, slice 0.1..25"

STEP_3_ONE_ORDER = [
    # an order in doubt that may still rest
    (f"want 100, {BOOK}, doubt BUY 10 @ 0.49", "nothing: IN_DOUBT"),
    (f"want 100, {BOOK}, doubt SELL 10 @ 0.49", "nothing: IN_DOUBT"),
    (f"want 100, {BOOK}, doubt BUY 10 @ 0.49, matched 10", "nothing: IN_DOUBT"),
    (f"want 0, hold 100, {BOOK}, doubt BUY 10 @ 0.49", "nothing: IN_DOUBT"),
    (f"want 100, {BOOK}, doubt BUY 10 @ 0.4 #a, live BUY 9 @ 0.4 #b", "nothing: IN_DOUBT"),
    (f"want 100, {BOOK}, gone BUY 10 @ 0.4 #a, doubt BUY 9 @ 0.4 #b", "nothing: IN_DOUBT"),
    # one that is gone is not in the way, but may have filled
    (f"want 100, {BOOK}, gone BUY 10 @ 0.49", "BUY 25 @ 0.49"),
    (f"want 20, {BOOK}, gone BUY 10 @ 0.49", "BUY 10 @ 0.49"),
    (f"want 0, hold 20, {BOOK}, gone SELL 10 @ 0.49", "SELL 10 @ 0.51"),
    (f"want 100, {BOOK}, live BUY 10 @ 0.49 #x, gone BUY 10 @ 0.49 #x", "BUY 25 @ 0.49"),  # listed, but gone
    (f"want 100, {BOOK}, live BUY 10 @ 0.49 #x, doubt BUY 10 @ 0.49 #x", "nothing: RESTING"),  # counts as listed
    # a requote is sized as if what it replaces had filled
    (f"want 100, hold 80, {BOOK}, live BUY 10 @ 0.49 age 91", "cancel live EXPIRED; BUY 10 @ 0.49"),
    (f"want 100, hold 80, {BOOK}, live BUY 20 @ 0.49 age 91, matched 10", "cancel live EXPIRED; BUY 10 @ 0.49"),
    (f"want 100, hold 80, {BOOK}, live BUY 16.99 @ 0.49 age 91", "cancel live EXPIRED; BUY 5 @ 0.49"),
    (f"want 100, hold 80, {BOOK}, live BUY 17 @ 0.49 age 91", "cancel live EXPIRED: SETTLING"),  # inside the band
    (f"want 100, hold 80, {BOOK}, live BUY 40 @ 0.49 age 91", "cancel live EXPIRED: SETTLING"),
    (f"want 50, hold 100, {BOOK}, live SELL 40 @ 0.51 age 91", "cancel live EXPIRED; SELL 10 @ 0.51"),
    (f"want 50, hold 100, {BOOK}, live SELL 46.99 @ 0.51 age 91", "cancel live EXPIRED; SELL 5 @ 0.51"),
    (f"want 50, hold 100, {BOOK}, live SELL 47 @ 0.51 age 91", "cancel live EXPIRED: SETTLING"),
    (
        f"want 100, hold 50, {BOOK}, live BUY 20 @ 0.49 age 92 #a, live BUY 20 @ 0.49 age 91 #b",
        "cancel a EXPIRED; cancel b EXPIRED; BUY 10 @ 0.49",
    ),
    # a SELL towards 0 is requoted only in the next plan
    (f"want 0, hold 100, {BOOK}, live SELL 25 @ 0.51 age 91", "cancel live EXPIRED: SETTLING"),
    (f"want 0, hold 100, {BOOK}, live BUY 25 @ 0.49", "cancel live WRONG_SIDE: SETTLING"),
    (f"want 0.01, hold 100, {BOOK}, live SELL 25 @ 0.51 age 91", "cancel live EXPIRED; SELL 25 @ 0.51"),
    (f"want 0, hold 100, {BOOK}", "SELL 25 @ 0.51"),
    # holds: the time from which orders are placed again
    (f"want 100, {BOOK}, on hold for 1", "nothing: ON_HOLD"),
    (f"want 100, {BOOK}, on hold for 0", "BUY 25 @ 0.49"),
    (f"want 100, {BOOK}, on hold for -1", "BUY 25 @ 0.49"),
    (f"want 0, hold 100, {BOOK}, on hold for 1", "nothing: ON_HOLD"),
    (f"want 100, {BOOK}, on hold for 1, live BUY 5 @ 0.4", "nothing: RESTING"),
    # sales of what we have no ledger of, where only what was copied is managed
    (f"want 0, hold 100, {BOOK}, copied", "nothing: NOT_OURS"),
    (f"want 0, hold 100, {BOOK}, copied, ledger 100", "SELL 25 @ 0.51"),
    (f"want 0, hold 100, {BOOK}, copied, ledger 100, not ours", "nothing: NOT_OURS"),  # nothing filled, or not known
    (f"want 0, hold 100, {BOOK}, ledger 100, not ours", "SELL 25 @ 0.51"),
    (f"want 100, hold 103, {BOOK}, copied", "nothing: IN_BAND"),
    (f"want 100, hold 103.01, {BOOK}, copied", "nothing: NOT_OURS"),
    (f"want 100, hold 50, {BOOK}, copied", "BUY 25 @ 0.49"),  # only where a sale would be due
    # a limit stops the smallest BUY, and not the smallest sale
    (f"want 1, hold 0.2, {BOOK}, {FINE}, loss 1, lost 2", "nothing: DAILY_LOSS"),
    (f"want 0.2, hold 1, {BOOK}, {FINE}, loss 1, lost 2", "SELL 0.8 @ 0.51"),
    (f"want 0.2, hold 5, {BOOK}, {FINE}, live SELL 5 @ 0.51 age 91", "cancel live EXPIRED: SETTLING"),
    (f"want 100, hold 50, {BOOK}, copied, live BUY 5 @ 0.4", "nothing: RESTING"),
]

STEP_4_SIZE = [
    # clamp(|delta|, slice_min, slice_max), quantised down to 0.01
    (f"want 100, hold 80, {BOOK}", "BUY 20 @ 0.49"),
    (f"want 100, hold 75, {BOOK}", "BUY 25 @ 0.49"),
    (f"want 100, hold 74.99, {BOOK}", "BUY 25 @ 0.49"),
    (f"want 100, hold 75.01, {BOOK}", "BUY 24.99 @ 0.49"),
    (f"want 100, hold 96, {BOOK}, min 1", "BUY 5 @ 0.49"),
    (f"want 100, hold 87.654321, {BOOK}", "BUY 12.34 @ 0.49"),  # 12.345679
    (f"want 80, hold 92.345679, {BOOK}", "SELL 12.34 @ 0.51"),
    (f"want 100, hold 96, {BOOK}, slice 1..2, min 1", "BUY 2 @ 0.49"),
    # below the market's minimum: raised to it while that stays inside |delta| + deadband
    (f"want 100, hold 96, {BOOK}, slice 1..25", "BUY 5 @ 0.49"),
    (f"want 100, {BOOK}, slice 1..4", "BUY 5 @ 0.49"),
    (f"want 100, {BOOK}, min 40", "BUY 40 @ 0.49"),
    (f"want 100, hold 95, {BOOK}, min 8", "BUY 8 @ 0.49"),
    (f"want 100, hold 95, {BOOK}, min 8.01", "nothing: DUST"),
    (f"want 100, hold 105, {BOOK}, min 8", "SELL 8 @ 0.51"),
    (f"want 100, hold 105, {BOOK}, min 8.01", "nothing: DUST"),
    (f"want 4, {BOOK}, slice 0..25, deadband 0.5, min 4.6", "nothing: DUST"),
    (f"want 4, {BOOK}, slice 0..25, deadband 0.5, min 4.5", "BUY 4.5 @ 0.49"),
    (f"want 20, {BOOK}, gone BUY 10 @ 0.4, min 13", "BUY 13 @ 0.49"),
    (f"want 20, hold 1, {BOOK}, live BUY 9 @ 0.4 age 91, min 13", "cancel live EXPIRED; BUY 13 @ 0.49"),
    (f"want 20, hold 1, {BOOK}, live BUY 9 @ 0.4 age 91, min 13.01", "cancel live EXPIRED: DUST"),  # the gap left is 10
    # where feed and ledger agree but for a cent, the lesser is sold (seeds 11245 and 12746 of the simulation)
    (f"want 0, feed 10.01, ledger 0+10 age 0, {BOOK}", "SELL 10 @ 0.51"),
    (f"want 0, feed 9.99, ledger 0+10 age 0, {BOOK}", "SELL 9.99 @ 0.51"),
    (f"want 0, feed 10.01, ledger 0+20 age 300, witness 10, {BOOK}", "SELL 10 @ 0.51"),
    # a SELL at most lo less foreign SELL rests
    (f"want 10, hold 40, {BOOK}, foreign SELL 20 @ 0.9", "SELL 20 @ 0.51"),
    (f"want 10, hold 40, {BOOK}, foreign SELL 20 @ 0.9, matched 10", "SELL 25 @ 0.51"),
    (f"want 10, hold 40, {BOOK}, foreign BUY 20 @ 0.1", "SELL 25 @ 0.51"),
    (f"want 10, hold 40, {BOOK}, foreign SELL 35 @ 0.9", "SELL 5 @ 0.51"),
    (f"want 10, hold 40, {BOOK}, foreign SELL 35.01 @ 0.9", "nothing: DUST"),
    (f"want 10, hold 40, {BOOK}, foreign SELL 40 @ 0.9", "nothing: DUST"),
    (f"want 10, hold 40, {BOOK}, foreign SELL 60 @ 0.9", "nothing: DUST"),
    (f"want 10, hold 40, {BOOK}, foreign SELL 27.654321 @ 0.9", "SELL 12.34 @ 0.51"),
    (
        f"want 10, hold 40, {BOOK}, live SELL 10 @ 0.9 age 91, foreign SELL 20 @ 0.9",
        "cancel live EXPIRED; SELL 10 @ 0.51",
    ),
    (
        f"want 10, hold 14, {BOOK}, foreign SELL 10 @ 0.9, slice 1..25",
        "nothing: DUST",
    ),  # raised, it is more than is there
    # a sale towards 0 is shortened so that at least the minimum remains
    (f"want 0, hold 30, {BOOK}", "SELL 25 @ 0.51"),
    (f"want 0, hold 29.99, {BOOK}", "SELL 24.99 @ 0.51"),
    (f"want 0, hold 27, {BOOK}", "SELL 22 @ 0.51"),
    (f"want 0, hold 25.01, {BOOK}", "SELL 20.01 @ 0.51"),
    (f"want 0, hold 25.009, {BOOK}", "SELL 25 @ 0.51"),  # a rest below 0.01 is none
    (f"want 0, hold 25, {BOOK}", "SELL 25 @ 0.51"),
    (f"want 0, hold 27.005, {BOOK}", "SELL 22 @ 0.51"),  # 22.005, quantised down
    (f"want 0, hold 47, foreign SELL 20 @ 0.9, {BOOK}", "SELL 22 @ 0.51"),
    # ... or, where that is impossible, lengthened to all of it
    (f"want 0, hold 9.99, {BOOK}, slice 5..5", "SELL 9.99 @ 0.51"),
    (f"want 0, hold 9.994, {BOOK}, slice 5..5", "SELL 9.99 @ 0.51"),
    (f"want 0, hold 10, {BOOK}, slice 5..5", "SELL 5 @ 0.51"),
    (f"want 0, hold 11, {BOOK}, slice 6..6", "SELL 6 @ 0.51"),
    (f"want 0, hold 10.5, {BOOK}, slice 6..6", "SELL 5.5 @ 0.51"),  # shorter than a slice, but it can be sold
    (f"want 0, hold 7, {BOOK}, slice 1..3", "SELL 7 @ 0.51"),
    (f"want 0, hold 29, {BOOK}, min 15", "SELL 29 @ 0.51"),
    (f"want 0, hold 30, {BOOK}, min 15", "SELL 15 @ 0.51"),
    # a sale to something else leaves what it leaves
    (f"want 2, hold 27, {BOOK}", "SELL 25 @ 0.51"),
    (f"want 0.01, hold 27, {BOOK}", "SELL 25 @ 0.51"),
    (f"want 0..2, hold 27, {BOOK}", "SELL 25 @ 0.51"),
    # what is too little to be sold
    (f"want 0, hold 4.99, {BOOK}", "nothing: DUST"),
    (f"want 0, hold 5, {BOOK}", "SELL 5 @ 0.51"),
    (f"want 0, hold 3, {BOOK}", "nothing: IN_BAND"),
    (f"want 0, hold 5..50, {BOOK}", "SELL 5 @ 0.51"),
    # a marketable order is worth at least 1 pUSD
    ("want 100, book 0.02/0.03, taker", "BUY 33.34 @ 0.03 taking"),
    ("want 100, hold 69.66, book 0.02/0.03, taker", "BUY 33.34 @ 0.03 taking"),
    ("want 100, hold 69.67, book 0.02/0.03, taker", "nothing: DUST"),
    ("want 0, hold 100, book 0.02/0.03, taker", "SELL 50 @ 0.02 taking"),
    ("want 0, hold 60, book 0.02/0.03, taker", "SELL 60 @ 0.02 taking"),
    ("want 0, hold 49.99, book 0.02/0.03, taker", "nothing: DUST"),
    ("want 100, book 0.02/0.03", "BUY 25 @ 0.02"),
]

STEP_5_PRICE = [
    ("want 100, price 0.5, book 0.6/0.63", "BUY 25 @ 0.6"),  # max_price_deviation 0.10
    ("want 100, price 0.5, book 0.61/0.63", "nothing: PRICE_GUARD"),
    ("want 100, price 0.5, book 0.6001/0.63, tick 0.0001", "nothing: PRICE_GUARD"),
    ("want 100, price 0.5, book 0.61/0.63, guard 0.11", "BUY 25 @ 0.61"),
    ("want 100, price 0.9, book 0.1/0.2", "BUY 25 @ 0.1"),
    ("want 0, hold 100, price 0.73, book 0.61/0.63", "SELL 25 @ 0.63"),
    ("want 0, hold 100, price 0.731, book 0.61/0.63", "nothing: PRICE_GUARD"),
    ("want 0, hold 100, price 0.1, book 0.8/0.9", "SELL 25 @ 0.9"),
    ("want 100, target price 0.5, book 0.61/0.63", "nothing: PRICE_GUARD"),
    ("want 100, price 0.6, target price 0.5, book 0.61/0.63", "BUY 25 @ 0.61"),
    ("want 100, last 0.5, book 0.61/0.63", "nothing: PRICE_GUARD"),
    ("want 100, target price 0.6, last 0.5, book 0.61/0.63", "BUY 25 @ 0.61"),
    ("want 100, last 0, book 0.61/0.63", "BUY 25 @ 0.61"),
    ("want 100, avg 0.1, target avg 0.1, book 0.61/0.63", "BUY 25 @ 0.61"),  # averages are not current
    ("want 100, price 0.1, book -/0.9", "nothing: PRICE_GUARD"),  # an empty side must not set our price
    ("want 0, hold 100, price 0.9, book 0.1/-", "nothing: PRICE_GUARD"),
    ("want 100, price 0.5, book 0.58/0.61, taker", "nothing: PRICE_GUARD"),  # guarded as well
    ("want 100, price 0.5, book 0.58/0.6, taker", "BUY 25 @ 0.6 taking"),
    ("want 100, book 0.49/0.51, taker", "BUY 25 @ 0.51 taking"),
    ("want 0, hold 100, book 0.49/0.51, taker", "SELL 25 @ 0.49 taking"),
    ("want 100, book 0.49/-, taker", "BUY 25 @ 0.49"),
    ("want 100", "nothing: NO_BOOK"),
    ("want 100, price 0.5", "nothing: NO_BOOK"),
    ("want 100, price 0.5, book -/-", "nothing: NO_BOOK"),
    ("want 0, hold 100", "nothing: NO_BOOK"),
    ("want 100, book 0.51/0.49", "nothing: CROSSED_BOOK"),
    ("want 0, hold 100, book 0.5/0.5", "nothing: CROSSED_BOOK"),
    ("want 100, book -/0.01", "nothing: NO_ROOM"),
    ("want 0, hold 100, book 0.99/-", "nothing: NO_ROOM"),
]

SMALL = "deadband 0.5, slice 0.1..25, min 0.1"
SMALL_GAPS = [  # a band below one share: nothing in the rules is about whole ones
    (f"want 10.8, hold 10, {BOOK}, {SMALL}", "BUY 0.8 @ 0.49"),
    (f"want 9.2, hold 10, {BOOK}, {SMALL}", "SELL 0.8 @ 0.51"),
    (f"want 0, hold 0.8, {BOOK}, {SMALL}", "SELL 0.8 @ 0.51"),
    (f"want 10.8, hold 10, {BOOK}, {SMALL}, live BUY 0.8 @ 0.48 age 91", "cancel live EXPIRED: SETTLING"),
    (f"want 11.7, hold 10, {BOOK}, {SMALL}, live BUY 0.9 @ 0.48 age 91", "cancel live EXPIRED; BUY 0.8 @ 0.49"),
    (f"want 8.3, hold 10, {BOOK}, {SMALL}, live SELL 0.9 @ 0.6 age 91", "cancel live EXPIRED; SELL 0.8 @ 0.51"),
    (f"want 0, hold 0.8, {BOOK}, {SMALL}, live SELL 0.1 @ 0.6 age 91", "cancel live EXPIRED: SETTLING"),
    (f"want 10.8, hold 10, {BOOK}, {SMALL}, live SELL 5 @ 0.6", "cancel live WRONG_SIDE; BUY 0.8 @ 0.49"),
    (f"want 9.2, hold 10, {BOOK}, {SMALL}, live BUY 5 @ 0.48", "cancel live WRONG_SIDE; SELL 0.8 @ 0.51"),
    (f"want 10.8, hold 10, {BOOK}, {SMALL}, cash 0.02", "nothing: NO_CASH"),
    (f"want 0, hold 10, {BOOK}, deadband 0.5, slice 1..25, min 1, foreign SELL 10 @ 0.7", "nothing: DUST"),
    (f"want 0, hold 10, {BOOK}, deadband 0.5, slice 1..25, min 1, foreign SELL 9 @ 0.7", "SELL 1 @ 0.51"),
    # what the first takes is what it costs, be it less than 1 pUSD, and not less than it pays
    (f"B: want 1.5, {BOOK}, min 0.1 | A: want 0.8, {BOOK}, {SMALL}, cash 1", "A BUY 0.54 @ 0.49 | B BUY 1.5 @ 0.49"),
    (
        "B: want 12, book 0.4/0.6 | A: want 10, book 0.4/0.6, total 10, taker",
        "A nothing: TOTAL_CAP | B BUY 12 @ 0.6 taking",
    ),
    # hands off, and counted all the same; what is resolved is not
    (
        f"A: hold 18, {BOOK}, blacklisted | B: want 10, {BOOK}, copied, total 10",
        "A nothing: BLACKLISTED | B nothing: TOTAL_CAP",
    ),
    (f"A: hold 18, {BOOK}, redeemable | B: want 10, {BOOK}, total 5", "A nothing: REDEEMABLE | B BUY 10 @ 0.49"),
]


@pytest.mark.parametrize(("world", "what"), SMALL_GAPS)
def test_small_gaps_and_small_sums(world, what):
    assert outcome(world) == what


REASONS = [
    # safe mode cancels what is expired, and nothing else
    (f"safe, want 100, {BOOK}", "nothing: SAFE_MODE"),
    (f"orders unread, want 100, {BOOK}", "nothing: SAFE_MODE"),
    (f"safe, want 100, {BOOK}, live BUY 5 @ 0.4 age 91", "cancel live EXPIRED: SAFE_MODE"),
    (f"safe, want 100, {BOOK}, live BUY 5 @ 0.4 age 90", "nothing: SAFE_MODE"),
    (f"safe, want 100, {BOOK}, live SELL 5 @ 0.6", "nothing: SAFE_MODE"),
    (f"safe, want 100, {BOOK}, live BUY 5 @ 0.4, blacklisted", "nothing: SAFE_MODE"),
    ("safe, no id, want 100", "nothing: SAFE_MODE"),
    # what is left alone, whatever the numbers say, in the band too
    (f"want 100, {BOOK}, blacklisted", "nothing: BLACKLISTED"),
    (f"want 0, hold 100, {BOOK}, blacklisted", "nothing: BLACKLISTED"),
    (f"want 100, hold 100, {BOOK}, blacklisted", "nothing: BLACKLISTED"),
    (f"want 100, {BOOK}, redeemable", "nothing: REDEEMABLE"),
    (f"want 0, hold 100, {BOOK}, redeemable", "nothing: REDEEMABLE"),
    (f"want 0, hold 100, {BOOK}, target redeemable", "nothing: REDEEMABLE"),
    (f"want 100, hold 100, {BOOK}, redeemable", "nothing: REDEEMABLE"),
    ("want 100, price 0.5, no id", "nothing: UNRESOLVED"),
    ("want 0, hold 100, no id", "nothing: UNRESOLVED"),
    ("want 100, hold 100, no id", "nothing: UNRESOLVED"),
    (f"want 100, id 010, {BOOK}", "nothing: UNRESOLVED"),  # such an id is never signed
    (f"want 100, id 0x0a, {BOOK}", "nothing: UNRESOLVED"),
    (f"want 100, blacklisted, redeemable, no id, {BOOK}", "nothing: BLACKLISTED"),
    (f"want 100, redeemable, no id, {BOOK}", "nothing: REDEEMABLE"),
    (f"want 100, redeemable, doubt BUY 5 @ 0.4, {BOOK}", "nothing: REDEEMABLE"),
    (f"want 0, hold 50, redeemable, copied, {BOOK}", "nothing: REDEEMABLE"),
    # stopped, all of our orders are cancelled, in safe mode too
    (f"stopped, want 100, {BOOK}", "nothing: STOPPED"),
    (f"stopped, want 100, {BOOK}, live BUY 25 @ 0.49", "cancel live STOPPED: STOPPED"),
    (f"stopped, want 0, hold 100, {BOOK}, live SELL 25 @ 0.51 age 91", "cancel live STOPPED: STOPPED"),
    (f"stopped, safe, want 100, {BOOK}, live BUY 25 @ 0.49", "cancel live STOPPED: STOPPED"),
    ("stopped, orders unread, no id, live BUY 25 @ 0.49", "cancel live STOPPED: STOPPED"),
    (f"stopped, want 100, {BOOK}, blacklisted, doubt BUY 25 @ 0.49", "nothing: STOPPED"),
    # in the band
    (f"want 100, hold 90, {BOOK}, doubt BUY 10 @ 0.4", "nothing: IN_DOUBT"),  # the gap to P is outside
    (f"want 100, hold 97, {BOOK}, doubt BUY 10 @ 0.4", "nothing: IN_BAND"),  # it is not
    (f"want 50, hold 60, {BOOK}, doubt SELL 10 @ 0.6", "nothing: IN_DOUBT"),
    (f"want 50, hold 53, {BOOK}, doubt SELL 10 @ 0.6", "nothing: IN_BAND"),
    (f"want 100, hold 90, {BOOK}, gone BUY 10 @ 0.4", "nothing: SETTLING"),  # it cannot rest any more
    (f"want 50, hold 60, {BOOK}, gone SELL 10 @ 0.6", "nothing: SETTLING"),
    (f"want 100, hold 96.99..100, {BOOK}", "nothing: SETTLING"),
    (f"want 100, hold 97..100, {BOOK}", "nothing: IN_BAND"),
    (f"want 50, hold 50..53.01 by sales, {BOOK}", "nothing: SETTLING"),
    (f"want 50, hold 50..53 by sales, {BOOK}", "nothing: IN_BAND"),
    (f"want 100, hold 100..110, {BOOK}", "nothing: IN_BAND"),  # by the feed all is well
    (f"want 1000, hold 90, {BOOK}, cap 50, doubt BUY 10 @ 0.4", "nothing: IN_DOUBT"),  # before TOKEN_CAP
    (f"want 1000, hold 90..100, {BOOK}, cap 50", "nothing: TOKEN_CAP"),  # before SETTLING
    (f"want 50..100, hold 90..110 by sales, {BOOK}", "nothing: SETTLING"),  # before UNCONFIRMED
    (f"want 100, hold 97, {BOOK}, on hold for 9", "nothing: IN_BAND"),
    # ON_HOLD, NOT_OURS, what stops a requote, the limits, the book, the guard, DUST: the first that applies
    (f"want 0, hold 100, {BOOK}, copied, on hold for 1", "nothing: ON_HOLD"),
    (f"want 100, hold 80, {BOOK}, live BUY 20 @ 0.4 age 91, on hold for 1", "cancel live EXPIRED: ON_HOLD"),
    (f"want 0, hold 50, {BOOK}, live SELL 50 @ 0.51 age 91, copied", "cancel live EXPIRED: NOT_OURS"),
    (f"want 100, {BOOK}, deny rain, title Rain, live BUY 25 @ 0.49, on hold for 1", "cancel live LIMIT: ON_HOLD"),
    (f"want 100, {BOOK}, deny rain, title Rain, on hold for 1", "nothing: ON_HOLD"),
    (f"want 100, hold 99, {BOOK}, live BUY 5 @ 0.4, spend 1, spent 2", "cancel live LIMIT: IN_BAND"),
    (f"want 100, {BOOK}, deny rain, title Rain, hours 1, loss 1, lost 1, total 0", "nothing: MARKET_DENIED"),
    (f"want 100, {BOOK}, hours 1, loss 1, lost 1, total 0", "nothing: ENDS_SOON"),
    (f"want 100, {BOOK}, loss 1, lost 1, spend 1, spent 2, total 0", "nothing: DAILY_LOSS"),
    (f"want 100, hold 90, {BOOK}, cap 45, loss 1, lost 1", "nothing: TOKEN_CAP"),  # its band comes first
    ("want 100, total 0, spend 0, cash 0, book 0.51/0.49", "nothing: TOTAL_CAP"),
    ("want 100, spend 0, cash 0, book 0.51/0.49", "nothing: DAILY_SPEND"),
    ("want 100, to 0.4, price 0.1, book 0.6/0.7", "nothing: PRICE_RANGE"),
    ("want 4, to 0.4, book 0.6/0.7, deadband 0, slice 0..9", "nothing: PRICE_RANGE"),  # before DUST
    ("want 100, total 0, cash 0, book 0.51/0.49", "nothing: TOTAL_CAP"),
    ("want 100, cash 0, book 0.51/0.49", "nothing: NO_CASH"),
    ("want 100, cash 0, price 0.1, book 0.6/0.7", "nothing: NO_CASH"),
    ("want 0, hold 4, price 0.9, book 0.1/-", "nothing: PRICE_GUARD"),  # before DUST
    ("want 0, hold 4, book 0.51/0.49", "nothing: CROSSED_BOOK"),
    ("want 0, hold 4", "nothing: NO_BOOK"),
    ("want 0, hold 4, book 0.99/-", "nothing: NO_ROOM"),
    ("want 4, book -/0.01, slice 0..25, deadband 0", "nothing: NO_ROOM"),
]

ALL = [*STEP_1_CANCELS, *STEP_2_BAND, *STEP_3_ONE_ORDER, *STEP_4_SIZE, *STEP_5_PRICE, *REASONS]


@pytest.mark.parametrize(("world", "what"), STEP_1_CANCELS)
def test_step_1_stale_orders_are_cancelled_before_anything_else_is_looked_at(world, what):
    assert outcome(world) == what


@pytest.mark.parametrize(("world", "what"), STEP_2_BAND)
def test_step_2_a_gap_inside_the_band_is_left(world, what):
    assert outcome(world) == what


@pytest.mark.parametrize(("world", "what"), STEP_3_ONE_ORDER)
def test_step_3_at_most_one_order_on_a_token(world, what):
    assert outcome(world) == what


@pytest.mark.parametrize(("world", "what"), STEP_4_SIZE)
def test_step_4_how_much(world, what):
    assert outcome(world) == what


@pytest.mark.parametrize(("world", "what"), STEP_5_PRICE)
def test_step_5_at_which_price(world, what):
    assert outcome(world) == what


@pytest.mark.parametrize(("world", "what"), REASONS)
def test_the_first_reason_that_applies(world, what):
    assert outcome(world) == what


COMBO_ID = "1628948707922995775031622509772078765406110626872621424817699628095377506304"
COMBO_KEY = "0x0399f3c9aa7360ee8fd03463733e451b460000000000000000000000000000:0"


@pytest.mark.parametrize("told", [f"id {COMBO_ID}", f"key {COMBO_KEY}", f"key {COMBO_KEY}, no id"])
def test_combos_are_left_alone_by_their_id_and_by_their_condition(told):
    assert outcome(f"{told}, want 100, {BOOK}") == "nothing: COMBO"
    assert outcome(f"{told}, want 100, redeemable, {BOOK}") == "nothing: COMBO"
    assert outcome(f"{told}, want 0, hold 100, {BOOK}") == "nothing: COMBO"


def test_a_live_order_on_a_combo_is_cancelled():
    assert outcome(f"id {COMBO_ID}, want 100, {BOOK}, live BUY 5 @ 0.4") == "cancel live LEFT_ALONE: COMBO"


def test_every_reason_stands_in_these_tables():
    """TOTAL_CAP and NO_CASH have tables of their own in test_risk.py, UNCONFIRMED in test_desired.py."""
    shown = {outcome(world) for world, _ in ALL} | {"nothing: COMBO", "nothing: UNCONFIRMED"}
    told = " ".join(shown)
    quoted = {Reason.QUOTED, Reason.REQUOTED}  # told by their actions
    assert {reason for reason in Reason if f": {reason.value}" not in told} == quoted
    assert {reason for reason in CancelReason if reason.value not in told} == set()

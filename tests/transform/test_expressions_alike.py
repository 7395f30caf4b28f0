"""Every function and operator gives the same in the engine and in PostgreSQL."""

from __future__ import annotations

import pytest

from jupyter_export.transform.expressions import FUNCTIONS

from .both import Both

EXPRESSIONS = [
    # arithmetic
    "id + 1", "id - small", "id * 3 - 1", "id / 2", "7 / 2", "-id", "- -id", "-7 // 2",
    "(id - 5) // 2", "small % 2", "small // 2 * 2 + small % 2", "finite * 2", "finite / 3",
    "money + 1", "money - money * 2", "money * money", "money * 1.5", "money / 3", "money % 2",
    "id * 0.1", "2 ** 10", "id ^ 2", "(id + 1) * (id - 1)", "1 - (2 - id)", "mod(id, 3)",
    "1.10 + 2", "abs(small)", "abs(money)", "abs(finite)", "@ small", "sign(small)",
    "sign(number)", "sign(money)", "number + 1", "number * 2", "number / 2",
    # rounding
    "round(finite)", "round(finite, 2)", "round(money)", "round(money, 1)", "round(id)",
    "round(number, 1)", "round(money, 5)", "floor(finite)", "ceil(finite)", "ceiling(money)",
    "floor(money)", "trunc(money)", "trunc(finite)", "floor(id)", "floor(number)",
    # functions of doubles
    "sqrt(abs(finite))", "exp(small)", "exp(-1000)", "ln(id + 1)", "log(id + 1)", "log10(id + 1)",
    "power(id, 3)", "pow(finite, 2)", "sin(id)", "cos(id)", "tan(id)", "asin(id / 10)",
    "acos(id / 10)", "atan(id)", "atan2(id, 2)", "radians(id)", "degrees(id)", "pi()",
    "isnan(number)", "isinf(number)", "id / 7 / 3 / 2",
    # comparisons and truth
    "number > 1", "number = number", "number >= 'nan'", "finite = 1.5", "money = 1.25",
    "money > 1", "money >= '2.35'", "small <> 3", "id = small", "id < finite", "money < finite",
    "word < 'b'", "word = 'ab'", "word >= 'B'", "flag", "not flag", "flag = true",
    "flag and id > 1", "flag or id > 1", "flag is true", "flag is not true", "flag is false",
    "flag is null", "(flag = true) is not true", "word is null", "word is not null",
    "small is distinct from 3", "small is not distinct from null", "small = null",
    "id between 2 and 4", "id not between 2 and 4", "word between 'a' and 'b'",
    "id in (1, 2, 9)", "id not in (1, 2)", "id in (1, null)", "word in ('ab', 'B%')",
    "word not in ('ab', null)", "money in (1.25, 10)", "id == 1", "id != 1",
    "day > '2020-01-31'", "day = DATE '2020-02-29'", "day < at", "at > moment", "day < moment",
    "moment >= '2020-03-29T01:30:00Z'", "moment >= '2020-03-29 01:30:00'",
    "moment > TIMESTAMPTZ '2020-03-29 03:00:00+02:00'", "at = '2020-03-29T02:30:00'",
    "at >= '2020-03-29T04:30:00+02:00'", "hour > '06:30'", "hour = TIME '12:30'",
    "word like 'a%'", "word like 'a\\_%'", "word like 'a!_%' escape '!'", "word not like '%b%'",
    "word ilike 'A%'", "word ilike '%É%'", "word like '%\\%'", "word like '%\\\\%'",
    "case when id > 3 then 'big' when id > 1 then 'mid' else 'small' end",
    "case small when 3 then 1.5 when 7 then 2 end", "case when flag then id else money end",
    "if(flag, id, small)", "coalesce(small, 0)", "coalesce(word, 'none')", "ifnull(small, id)",
    "word ?? 'x'", "nullif(id, 3)", "nullif(word, '')", "greatest(id, small, 2)",
    "least(id, small)", "greatest(word, 'b')", "least(money, 1)", "greatest(number, 1)",
    "least(day, DATE '2000-01-01')", "coalesce(null, id)", "coalesce(day, '2020-01-01')",
    # text
    "word || '!'", "'a' || id || 'b' || money", "'x' || flag", "concat(word, id, null, 'z')",
    "concat_ws('-', word, id, null)", "lower(word)", "upper('abcÄé')", "length(word)",
    "len('äöü')", "trim(word)", "ltrim(word)", "rtrim(word)", "trim(word, 'ab')",
    "trim(both 'a' from word)", "trim(leading from word)", "ltrim(word, 'a')",
    "replace(word, 'b', 'xy')", "replace(word, '', 'x')", "translate(word, 'ab', 'x')",
    "md5(word)", "strpos(word, 'b')", "instr(word, '')", "position('c' in word)",
    "substr(word, 2)", "substr(word, 2, 2)", "substring(word from 2 for 3)",
    "substr(word, id, 2)", "substr(word, 1, small)", "left(word, 2)", "right(word, 2)",
    "left(word, -1)", "right(word, small)", "lpad(word, 4, '*')", "rpad(word, 4)",
    "rpad(word, 7, 'xy')", "split_part(word, ',', 2)", "split_part(word, ',', -1)",
    "split_part(word, ',', 9)", "reverse(word)", "contains(word, 'b')", "starts_with(word, 'a')",
    "ends_with(word, 'b')", "contains(word, '')", "ends_with(word, '')", "prefix(word, 'ab')",
    "suffix(word, 'e')", "'a' 'b'", "word ^@ 'a'", "'it''s ; -- \"x\" %s :a ?'",
    # regular expressions
    "regexp_matches(word, '^a')", "regexp_matches(word, 'B', 'i')", "word ~ '[0-9]+'",
    "word !~ 'b$'", "regexp_matches(word, 'e.b')", "regexp_matches(word, '\\bcd\\b|\\bab\\b')",
    "regexp_matches(word, '(?i)^AB')", "regexp_like(word, '[[:digit:]]{2}')",
    "regexp_replace(word, 'b', '<\\0>')", "regexp_replace(word, '([a-z])([0-9])', '\\2\\1', 'g')",
    "regexp_replace(word, 'B', '-', 'gi')", "regexp_extract(word, '[0-9]+')",
    "regexp_extract(word, '([a-z]+)([0-9]+)', 2)", "regexp_extract(word, '(x)?b', 1)",
    "regexp_extract(word, '(?i)B')",
    # casts
    "cast(id as text)", "cast(small as varchar)", "cast(number as text)", "cast(finite as text)",
    "cast(money as text)", "cast(flag as text)", "cast(day as text)", "cast(at as text)",
    "cast(moment as text)", "cast(hour as text)", "cast(finite / 100 as bigint)",
    "cast(money as bigint)", "cast(money / 1 as integer)", "cast(flag as integer)",
    "cast(id as boolean)", "cast(id as double)", "cast(money as double)", "id::real",
    "cast(finite / 1e8 as decimal(18, 2))", "cast(id as decimal(10, 2))",
    "try_cast(money as decimal(6, 1))", "cast(day as timestamp)", "cast(day as timestamptz)",
    "cast(at as date)",
    "cast(at as timestamptz)", "cast(moment as timestamp)", "cast(moment as date)",
    "cast(at as time)", "cast(moment as time)", "cast(id || '' as bigint)",
    "cast(' ' || id as integer)", "cast(id || '.5' as double)",
    "cast(id || '.255' as decimal(6, 2))",
    "cast('2020-01-0' || (id + 1) as date)", "cast('2020-01-01 0' || id || ':30' as timestamp)",
    "cast('2020-01-01 0' || id || ':30' as timestamptz)",
    "cast('2020-01-01 0' || id || ':30:00+02' as timestamptz)", "cast('0' || id || ':30' as time)",
    "cast(case when flag then 'yes' else 'F' end as boolean)", "try_cast('12' as integer)",
    "try_cast('x' as integer)", "try_cast(word as double)", "try_cast(finite as smallint)",
    "try_cast(id * 10000 as smallint)", "try_cast(money as decimal(4, 2))", "cast(null as integer)",
    "cast('1.5' as decimal(5, 2))", "cast('nan' as double)",
    # moments
    "extract(year from day)", "extract(month from at)", "extract(epoch from moment)",
    "extract(epoch from at)", "extract(hour from hour)", "date_part('dow', day)",
    "date_part('isodow', at)", "date_part('week', day)", "date_part('quarter', moment)",
    "extract(second from at)", "extract(minute from moment)", "year(day)", "quarter(day)",
    "month(at)", "week(day)", "weekofyear(day)", "day(moment)", "dayofmonth(at)", "hour(moment)",
    "minute(at)", "second(at)", "dayofweek(day)", "isodow(day)", "dayofyear(day)", "isoyear(day)",
    "epoch(moment)", "hour(moment at time zone 'Europe/Paris')",
    "moment at time zone 'America/New_York'", "at at time zone 'Europe/Paris'",
    "timezone('Asia/Tokyo', moment)", "date_trunc('month', day)", "date_trunc('week', at)",
    "date_trunc('hour', moment)", "date_trunc('year', moment)", "datetrunc('day', at)",
    "date_trunc('decade', day)", "date_trunc('quarter', at)",
    "time_bucket('15 minutes', at)", "time_bucket(INTERVAL '1 month', day)",
    "time_bucket('1 day', moment, 'Europe/Paris')", "time_bucket('1 hour', moment, 'Europe/Paris')",
    "day + 1", "day - 30", "day - DATE '2020-01-01'", "at - moment", "moment - at",
    "day + INTERVAL 1 MONTH", "at + INTERVAL '90 minutes'", "moment - INTERVAL 1 DAY",
    "INTERVAL '1 hour' + at", "at + id * INTERVAL 1 DAY", "at + INTERVAL (id) HOUR",
    "at - to_days(id)", "day + to_months(id)", "at + (INTERVAL 1 DAY + INTERVAL 1 HOUR)",
    "moment - TIMESTAMPTZ '2020-01-01' > INTERVAL 30 DAYS", "epoch(at - TIMESTAMP '2020-01-01')",
    "-INTERVAL 1 DAY + at", "day + to_weeks(1)", "day - to_years(1)", "at + to_seconds(id)",
    "at + to_minutes(id)", "at + to_hours(id)",
    "date_diff('day', day, DATE '2020-03-01')", "date_diff('month', day, at)",
    "date_diff('year', at, moment)", "date_diff('hour', at, TIMESTAMP '2020-01-01')",
    "date_diff('week', day, DATE '2020-03-01')", "datediff('minute', at, moment)",
    "datediff('quarter', day, DATE '2020-03-01')", "date_diff('second', at, moment)",
    "date_diff('decade', at, moment)", "make_date(2020, small * 0 + 1, id + 1)",
    "make_timestamp(2020, 1, id + 1, 2, 3, 4.5)", "to_timestamp(id * 1.5)",
    "strftime(at, '%Y-%m-%d %H:%M:%S')", "strftime(moment, '%d.%m.%y %I %p')",
    "strftime(day, '%A, %-d %B %Y: \"w\\eek\" %V of %G, day %j, 100%%')",
    "strftime(at, '%a %b %f %u %-H %-M %-S %-I %-m %-j')", "strftime('%Y', at)",
    "lcase(word)", "ucase('abc')", "char_length(word)", "character_length(word)", "btrim(word)",
    "datepart('month', at)",
    # names
    "\"Select\" + 1", "\"SELECT\"", "data.id", "source.id", "ID + 1", "\"od.d \"\"n\" || 'a'",
]  # fmt: skip


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_both_give_the_same(both: Both, expression: str) -> None:
    assert len(both.column(expression)) == 8


def test_no_function_is_left_out() -> None:
    text = " ".join(EXPRESSIONS)
    assert [name for name in FUNCTIONS if f"{name}(" not in text] == []

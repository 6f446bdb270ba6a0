-- inspect: reads the record of a name; writes nothing.
-- KEYS: 1 the record
-- Returns: now, field, value, field, value, …
local time = redis.call('TIME')
local record = redis.call('HGETALL', KEYS[1])
table.insert(record, 1, time[1] * 1000000 + time[2])
return record

-- inspect: reads the record of a name; writes nothing.
-- KEYS: 1 the record
-- Returns: now, then the compact form, or field, value, field, value, …; or an empty text for what is no record
local time = redis.call('TIME')
local compact = redis.pcall('GET', KEYS[1])
local record = { compact or nil }
if type(compact) == 'table' then
  if not string.find(compact.err, 'WRONGTYPE', 1, true) then
    return compact
  end
  -- Latches, and what is foreign, may be large: they are not looked through.
  record = redis.pcall('HGET', KEYS[1], 'v') == '1' and redis.call('HGETALL', KEYS[1]) or { '' }
end
table.insert(record, 1, time[1] * 1000000 + time[2])
return record

-- inspect: reads the record of a name; writes nothing.
-- KEYS: 1 the record
-- Returns: now, then the compact form, or field, value, field, value, …; or an empty text for a value of another type
local time = redis.call('TIME')
local compact = redis.pcall('GET', KEYS[1])
local record = { compact or nil }
if type(compact) == 'table' then
  local fields = redis.pcall('HGETALL', KEYS[1])
  record = fields.err and { '' } or fields
end
table.insert(record, 1, time[1] * 1000000 + time[2])
return record

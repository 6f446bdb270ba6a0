-- inspect: reads the record of a name; writes nothing.
-- KEYS: 1 the record
-- Returns: now, then the compact form, or field, value, field, value, …; or an empty text for what is no record
local time = redis.call('TIME')
-- What somebody else keeps there is of another type; any other error is not about the value.
local function read(command, ...)
  local value = redis.pcall(command, KEYS[1], ...)
  if type(value) == 'table' and not string.find(value.err, 'WRONGTYPE', 1, true) then
    return redis.call(command, KEYS[1], ...)
  end
  return value
end
local compact = read('GET')
local record = { compact or nil }
if type(compact) == 'table' then
  if not string.find(compact.err, 'WRONGTYPE', 1, true) then return compact end
  -- Latches, and what is foreign, may be large: they are not looked through.
  record = read('HGET', 'v') == '1' and redis.call('HGETALL', KEYS[1]) or { '' }
end
table.insert(record, 1, time[1] * 1000000 + time[2])
return record

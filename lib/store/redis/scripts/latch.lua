-- latch: a countdown latch; latch-machine.ts is its reference. Each call costs the same however many have counted,
-- but for the two that end a count: the last one, and the first one after its time is over.
-- KEYS: 1 the record: latch (format), count, until, alive (latest sign of life of a watcher), d:<id> for each counted
--       id, w:<id> alive for each watcher
-- ARGV: 1 terms ("fenceMemory countable prefix", see _machine.lua)  2 kind  3 id or count  4 ttl
-- Returns: outcome, now, count, until
local key, kind = KEYS[1], ARGV[2]
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local SIGN_OF_LIFE = 15000000
local r = redis.call('HMGET', key, 'latch', 'count', 'until', 'alive')
if r[1] ~= '1' then
  if r[1] then
    return redis.error_reply('LOCKNEWER ' .. r[1])
  end
  if redis.call('EXISTS', key) == 1 then
    return redis.error_reply('LOCKFOREIGN')
  end
end
local count, expiry, alive = tonumber(r[2] or nil), tonumber(r[3] or 0), tonumber(r[4] or 0)

local function watchers()
  local found = {}
  local fields = redis.call('HGETALL', key)
  for at = 1, #fields, 2 do
    if string.sub(fields[at], 1, 2) == 'w:' and tonumber(fields[at + 1]) > now then
      found[fields[at]] = fields[at + 1]
    end
  end
  return found
end

if count and expiry <= now then
  local living = watchers()
  redis.call('DEL', key)
  redis.call('HSET', key, 'latch', '1', 'alive', string.format('%.0f', alive))
  for field, sign in pairs(living) do
    redis.call('HSET', key, field, sign)
  end
  count, expiry = nil, 0
end

local outcome
if kind == 'set' and not count then
  outcome, count, expiry = 'set', tonumber(ARGV[3]), now + ARGV[4]
  redis.call('HSET', key, 'latch', '1', 'count', count, 'until', string.format('%.0f', expiry),
    'alive', string.format('%.0f', alive))
elseif kind == 'watch' and count ~= 0 then
  alive = math.max(alive, now + SIGN_OF_LIFE)
  redis.call('HSET', key, 'latch', '1', 'alive', string.format('%.0f', alive),
    'w:' .. ARGV[3], string.format('%.0f', now + SIGN_OF_LIFE))
elseif kind == 'unwatch' then
  redis.call('HDEL', key, 'w:' .. ARGV[3])
elseif kind == 'down' and count and count > 0 and redis.call('HSETNX', key, 'd:' .. ARGV[3], '1') == 1 then
  count = count - 1
  redis.call('HSET', key, 'count', count)
  if count == 0 then
    local opened = watchers()
    for field in pairs(opened) do
      redis.call('HDEL', key, field)
    end
    for field in pairs(opened) do
      local id = string.sub(field, 3)
      redis.pcall('PUBLISH', string.match(ARGV[1], '^%d+ %d (.*)$') .. string.match(id, '^[^.]*'), 'o ' .. id .. ' ' .. key)
    end
  end
end
local latest = math.max(count and expiry or 0, alive)
if latest > now then
  redis.call('PEXPIREAT', key, string.format('%.0f', math.ceil(latest / 1000)))
else
  redis.call('DEL', key)
end
if not count then
  return { 'missing', now, 0, 0 }
end
return { outcome or (kind == 'set' and 'exists') or (count == 0 and 'open') or 'counting', now, count, expiry }

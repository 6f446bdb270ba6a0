-- latch: a countdown latch; latch-machine.ts is its reference.
-- KEYS: 1 the record: latch (format), count, until, d:<id> for each counted id, w:<id> alive for each watcher
-- ARGV: 1 unused  2 channel prefix  3 unused  4 kind  5 id or count  6 ttl
-- Returns: outcome, now, count, until
local key, kind = KEYS[1], ARGV[4]
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local SIGN_OF_LIFE = 15000000
local r = redis.call('HMGET', key, 'latch', 'count', 'until')
if r[1] ~= '1' then
  if r[1] then
    return redis.error_reply('LOCKNEWER ' .. r[1])
  end
  if redis.call('EXISTS', key) == 1 then
    return redis.error_reply('LOCKFOREIGN')
  end
end
local count, expiry = tonumber(r[2] or nil), tonumber(r[3] or 0)
local watchers = {}
if r[1] then
  local fields = redis.call('HGETALL', key)
  local gone = {}
  local over = count and expiry <= now
  for at = 1, #fields, 2 do
    local tag, id = string.sub(fields[at], 1, 2), string.sub(fields[at], 3)
    if tag == 'w:' then
      local alive = tonumber(fields[at + 1])
      if alive <= now then
        gone[#gone + 1] = fields[at]
      else
        watchers[id] = alive
      end
    elseif tag == 'd:' and over then
      gone[#gone + 1] = fields[at]
    end
  end
  if over then
    gone[#gone + 1] = 'count'
    gone[#gone + 1] = 'until'
    count, expiry = nil, 0
  end
  for _, field in ipairs(gone) do
    redis.call('HDEL', key, field)
  end
end

local outcome
if kind == 'set' and not count then
  outcome, count, expiry = 'set', tonumber(ARGV[5]), now + ARGV[6]
  redis.call('HSET', key, 'latch', '1', 'count', count, 'until', string.format('%.0f', expiry))
elseif kind == 'watch' then
  watchers[ARGV[5]] = now + SIGN_OF_LIFE
  redis.call('HSET', key, 'latch', '1', 'w:' .. ARGV[5], string.format('%.0f', now + SIGN_OF_LIFE))
elseif kind == 'unwatch' then
  watchers[ARGV[5]] = nil
  redis.call('HDEL', key, 'w:' .. ARGV[5])
elseif kind == 'down' and count and count > 0 and redis.call('HSETNX', key, 'd:' .. ARGV[5], '1') == 1 then
  count = count - 1
  redis.call('HSET', key, 'count', count)
  if count == 0 then
    local opened = watchers
    watchers = {}
    for id in pairs(opened) do
      redis.call('HDEL', key, 'w:' .. id)
    end
    for id in pairs(opened) do
      redis.pcall('PUBLISH', ARGV[2] .. string.match(id, '^[^.]*'), 'o ' .. id .. ' ' .. key)
    end
  end
end
local latest = count and expiry or 0
for _, alive in pairs(watchers) do
  latest = math.max(latest, alive)
end
if latest > now then
  redis.call('PEXPIREAT', key, string.format('%.0f', math.ceil(latest / 1000)))
else
  redis.call('DEL', key)
end
if not count then
  return { 'missing', now, 0, 0 }
end
return { outcome or (kind == 'set' and 'exists') or (count == 0 and 'open') or 'counting', now, count, expiry }

-- rights: tries each command that the other scripts use, on a key that nobody else uses and that is gone afterwards.
-- KEYS: 1 the key
-- ARGV: 1 terms ("fenceMemory countable prefix", see record.lua)  2 session
-- Returns for each command that failed: its name, the error
local key, failed = KEYS[1], {}
local function try(command, ...)
  local reply = redis.pcall(command, ...)
  local why = type(reply) == 'table' and reply.err
  -- The key holds a string, so a command for hashes that we may use is refused for that, and writes nothing.
  if why and not string.find(why, 'WRONGTYPE', 1, true) then
    failed[#failed + 1] = command
    failed[#failed + 1] = why
  end
  return not why
end

try('TIME')
try('MGET', key)
try('GET', key)
try('EXISTS', key)
try('HGET', key, 'v')
try('HMGET', key, 'v')
try('HGETALL', key)
try('HEXISTS', key, 'v')
try('PUBLISH', string.match(ARGV[1], '^%d+ %d%S* (.*)$') .. ARGV[2], '')
-- Without a string a hash would come to be, and perhaps to stay.
if try('SET', key, 'rights', 'PX', '1000') then
  try('HSET', key, 'v', '0')
  try('HSETNX', key, 'v', '0')
  try('HDEL', key, 'v')
  try('APPEND', key, '')
  try('PERSIST', key)
  try('PEXPIREAT', key, '9999999999999')
  if string.find(ARGV[1], '^%d+ 0') then -- of a cluster, see record.lua
    try('RESTORE', key, 0, bareHash(), 'REPLACE')
  end
  if not try('DEL', key) then
    redis.call('SET', key, '', 'PX', '1')
  end
end
return failed

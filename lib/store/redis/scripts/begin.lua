-- How every call for many keys begins.
local keys, args, sub, try = KEYS, ARGV, string.sub, redis.pcall
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local nowText = time[1] .. sub('00000' .. time[2], -6)

-- delete-if-equal: gives a mutex back whose record is still as it was written, where no command of the server does that.
-- KEYS: the record
-- ARGV: 1 what it was
-- Returns: 1 when it is deleted, else 0
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])

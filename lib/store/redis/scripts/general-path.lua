-- What is left of a call that serves many names. Expects: general(key, at, record), whose arguments begin at args[at];
-- records, as far as they are known to be strings; STRIDE; and replies: the answers that are known, false where there is
-- none yet, nothing for `now`.
for index = 1, #keys do
  if replies[index] == false then
    local ok, reply = pcall(general, keys[index], 2 + (index - 1) * STRIDE, records[index])
    if not ok then
      reply = redis.error_reply(type(reply) == 'table' and reply.err or tostring(reply))
    end
    replies[index] = reply
  end
  replies[index] = replies[index] or now
end
return replies

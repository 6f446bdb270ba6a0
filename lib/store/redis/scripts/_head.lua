-- Refuses what is not ours. Expects key and the reply r whose first value is the format v.
if r[1] ~= '1' then
  if r[1] then
    return redis.error_reply('LOCKNEWER ' .. r[1])
  end
  if redis.call('EXISTS', key) == 1 then
    return redis.error_reply('LOCKFOREIGN')
  end
end

-- KEYS: the streams. ARGV: group, consumer, session.
local group, me = ARGV[1], ARGV[2]
for _, stream in ipairs(KEYS) do
    local made = redis.pcall('XGROUP', 'CREATE', stream, group, '0', 'MKSTREAM')
    if made.err and not string.find(made.err, 'BUSYGROUP', 1, true) then
        return made
    end
end
redis.call('ZADD', key_of(group, 'consumers'), milliseconds(), me)
redis.call('HSET', key_of(group, 'sessions'), me, ARGV[3])
-- The new session claims again what was pending for this name.
redis.call('DEL', inbox_of(group, me))
for _, stream in ipairs(KEYS) do
    for _, ticket in ipairs(pending_of(group, me, stream)) do
        redis.call('RPUSH', inbox_of(group, me), ticket)
    end
end
return redis.status_reply('OK')

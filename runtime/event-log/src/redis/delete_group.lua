-- KEYS: the streams. ARGV: group.
local group = ARGV[1]
for _, stream in ipairs(KEYS) do
    redis.pcall('XGROUP', 'DESTROY', stream, group)
end
for _, consumer in ipairs(redis.call('ZRANGE', key_of(group, 'consumers'), 0, -1)) do
    redis.call('DEL', inbox_of(group, consumer))
end
local sessions = redis.call('HGETALL', key_of(group, 'sessions'))
for i = 1, #sessions, 2 do
    redis.call('DEL', fence_of(group, sessions[i], sessions[i + 1]))
end
for _, name in ipairs({'sole', 'consumers', 'sessions', 'pending', 'owners', 'failures'}) do
    redis.call('DEL', key_of(group, name))
end
redis.call('DEL', redrive_stream(group))
return redis.status_reply('OK')

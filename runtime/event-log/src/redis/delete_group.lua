-- KEYS: the streams. ARGV: group.
local group = ARGV[1]
local redriven = redrive_stream(group)

-- Each consumer of the group reads its redriven letters, so this stream does not keep the group.
local kept = {}
for _, stream in ipairs(redis.call('HKEYS', key_of(group, 'read'))) do
    kept[stream] = stream ~= redriven or nil
end
for _, stream in ipairs(KEYS) do
    kept[stream] = nil
end

local function give_up_pending(stream)
    repeat
        local page = redis.pcall('XPENDING', stream, group, '-', '+', PAGE)
        if page.err then
            return
        end
        for _, row in ipairs(page) do
            acknowledge(group, ticket_of(stream, row[1]))
        end
    until #page < PAGE
end

for _, stream in ipairs(KEYS) do
    if stream ~= redriven then
        give_up_pending(stream)
        redis.pcall('XGROUP', 'DESTROY', stream, group)
        redis.call('HDEL', key_of(group, 'read'), stream)
    end
end
if next(kept) then
    return redis.status_reply('OK')
end

for _, consumer in ipairs(redis.call('ZRANGE', key_of(group, 'consumers'), 0, -1)) do
    redis.call('DEL', inbox_of(group, consumer))
end
local sessions = redis.call('HGETALL', key_of(group, 'sessions'))
for i = 1, #sessions, 2 do
    redis.call('DEL', fence_of(group, sessions[i], sessions[i + 1]))
end
for _, name in ipairs({'sole', 'consumers', 'sessions', 'pending', 'owners', 'failures', 'read'}) do
    redis.call('DEL', key_of(group, name))
end
redis.call('DEL', redriven)
return redis.status_reply('OK')

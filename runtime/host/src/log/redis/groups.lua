-- KEYS: the stream. Answers rows of {group, pending, lag, when last seen or nil}.
local groups = redis.pcall('XINFO', 'GROUPS', KEYS[1])
if groups.err then
    -- There is no such stream, so nobody reads it.
    return {}
end

-- Redis 7 counts the lag itself, unless entries were removed from within the stream.
local function lag_after(id)
    local lag = 0
    local from = '(' .. id
    repeat
        local page = redis.call('XRANGE', KEYS[1], from, '+', 'COUNT', PAGE)
        lag = lag + #page
        if #page > 0 then
            from = '(' .. page[#page][1]
        end
    until #page < PAGE
    return lag
end

local rows = {}
for _, group in ipairs(groups) do
    local name = field(group, 'name')
    local lag = field(group, 'lag') or lag_after(field(group, 'last-delivered-id'))
    local newest = redis.call('ZRANGE', key_of(name, 'consumers'), -1, -1, 'WITHSCORES')
    rows[#rows + 1] = {name, field(group, 'pending'), lag, tonumber(newest[2]) or false}
end
return rows

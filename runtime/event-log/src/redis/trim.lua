-- KEYS: the stream. ARGV: milliseconds to keep, id up to which entries are old in any case or nothing. Returns the number
-- of removed entries.
local stream = KEYS[1]
local groups = redis.pcall('XINFO', 'GROUPS', stream)
if groups.err or #groups == 0 then
    return 0
end

local function parts(id)
    local milliseconds, sequence = string.match(id, '^(%d+)-(%d+)$')
    return tonumber(milliseconds), tonumber(sequence)
end

local function is_before(one, other)
    local one_time, one_sequence = parts(one)
    local other_time, other_sequence = parts(other)
    if one_time ~= other_time then
        return one_time < other_time
    end
    return one_sequence < other_sequence
end

local function after(id)
    local time, sequence = parts(id)
    return string.format('%.0f-%.0f', time, sequence + 1)
end

-- The id of the first entry that is kept.
-- The age may be longer than the time since 1970, and no id is smaller than 0-0.
local first_kept = string.format('%.0f-0', math.max(1, milliseconds() - tonumber(ARGV[1])))
if ARGV[2] and is_before(first_kept, after(ARGV[2])) then
    first_kept = after(ARGV[2])
end
for _, group in ipairs(groups) do
    local needs = after(field(group, 'last-delivered-id'))
    local pending = redis.call('XPENDING', stream, field(group, 'name'))
    if pending[1] > 0 then
        needs = pending[2]
    end
    if is_before(needs, first_kept) then
        first_kept = needs
    end
end
local old = redis.call('XRANGE', stream, '-', '(' .. first_kept, 'COUNT', PAGE)
if #old == 0 then
    return 0
end
local newest = old[#old][1]
redis.call('HSET', TRIMMED, stream, newest)
return redis.call('XTRIM', stream, 'MINID', '=', after(newest))

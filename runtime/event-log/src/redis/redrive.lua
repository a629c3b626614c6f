-- ARGV: id of a dead letter. Returns 1 if it was there, else 0; the group, if nothing reads as it any more; nothing of a
-- letter that names no group.
local function has_group(stream, name)
    local groups = redis.pcall('XINFO', 'GROUPS', stream)
    for _, group in ipairs(groups.err and {} or groups) do
        if field(group, 'name') == name then
            return true
        end
    end
    return false
end

local letter = fields_of(DEAD, ARGV[1])
if not letter then
    return 0
end
local group = field(letter, 'group')
if not group then
    return ''
end
if not has_group(redrive_stream(group), group) then
    return group
end
local entry = {'XADD', redrive_stream(group), '*'}
for i = 1, #letter, 2 do
    local original = string.match(letter[i], '^original%.(.*)$')
    if original or letter[i] == '@lane' then
        entry[#entry + 1] = original or '@lane'
        entry[#entry + 1] = letter[i + 1]
    end
end
redis.call(unpack(entry))
redis.call('XDEL', DEAD, ARGV[1])
return 1

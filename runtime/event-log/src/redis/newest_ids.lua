-- The ids of the newest entries of a stream up to an id, without their fields. KEYS: stream. ARGV: id, number of entries.
local ids = {}
for i, entry in ipairs(redis.call('XREVRANGE', KEYS[1], ARGV[1], '-', 'COUNT', ARGV[2])) do
    ids[i] = entry[1]
end
return ids

-- What `wrk` sends, told by its arguments: `post PATH`, each body another one, or `get FILE`, the paths in
-- the file one after the other. Says what came of it in one line.
local template, paths, next_one = nil, {}, 0

function init(arguments)
    if arguments[1] == "post" then
        wrk.method = "POST"
        wrk.path = arguments[2]
        wrk.headers["Content-Type"] = "application/json"
        template = io.open(arguments[3]):read("*a")
    else
        for path in io.lines(arguments[2]) do paths[#paths + 1] = path end
    end
    -- So that no two runs store the same.
    next_one = 1000000000 + tonumber(arguments[#arguments]) * 10000000
end

function request()
    next_one = next_one + 1
    if template then
        return wrk.format(nil, nil, nil, (template:gsub("1000000000", tostring(next_one))))
    end
    return wrk.format("GET", paths[next_one % #paths + 1])
end

function done(summary, latency)
    local wrong = summary.errors.status + summary.errors.connect + summary.errors.read
        + summary.errors.write + summary.errors.timeout
    io.write(string.format("RESULT %d %d %d %d %d\n", summary.requests, summary.duration, wrong,
        latency:percentile(50), latency:percentile(99)))
end

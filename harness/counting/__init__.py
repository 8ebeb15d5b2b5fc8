"""The counting proxy: a process between the platform's parts and the engine that counts bytes.

It forwards TCP as it comes, never looks at what it forwards, and knows neither gRPC nor TLS. What
it counts is the payload of TCP in both directions: HTTP/2 frames with their headers, TLS records
where there is TLS, but no headers of TCP and IP, which depend on the network in between.
"""

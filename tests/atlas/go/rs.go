package main

import (
	"net/http"

	"github.com/rs/cors"
)

// rs/cors around net/http, with a handler that turns a panic into 500.
func withRs() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ok", ok)
	mux.HandleFunc("PUT /ok", ok)
	mux.HandleFunc("GET /boom", boom)
	mux.HandleFunc("GET /acao", own)
	recovered := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if recover() != nil {
				http.Error(w, "boom", http.StatusInternalServerError)
			}
		}()
		mux.ServeHTTP(w, r)
	})
	return cors.New(cors.Options{
		AllowedOrigins:   []string{origin},
		AllowedMethods:   methods,
		AllowedHeaders:   headers,
		ExposedHeaders:   exposed,
		AllowCredentials: true,
		MaxAge:           maxAge,
	}).Handler(recovered)
}

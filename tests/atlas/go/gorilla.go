package main

import (
	"net/http"

	"github.com/gorilla/handlers"
	"github.com/gorilla/mux"
)

// CORS of gorilla/handlers.
func withGorilla() http.Handler {
	router := mux.NewRouter()
	router.HandleFunc("/ok", ok).Methods(methods...)
	router.HandleFunc("/boom", boom).Methods("GET")
	router.HandleFunc("/acao", own).Methods("GET")
	cors := handlers.CORS(
		handlers.AllowedOrigins([]string{origin}),
		handlers.AllowedMethods(methods),
		handlers.AllowedHeaders(headers),
		handlers.ExposedHeaders(exposed),
		handlers.AllowCredentials(),
		handlers.MaxAge(maxAge),
	)
	return cors(handlers.RecoveryHandler()(router))
}

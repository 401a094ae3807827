package main

import (
	"net/http"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/go-chi/cors"
)

// go-chi/cors.
func withChi() http.Handler {
	router := chi.NewRouter()
	router.Use(middleware.Recoverer)
	router.Use(cors.Handler(cors.Options{
		AllowedOrigins:   []string{origin},
		AllowedMethods:   methods,
		AllowedHeaders:   headers,
		ExposedHeaders:   exposed,
		AllowCredentials: true,
		MaxAge:           maxAge,
	}))
	router.Get("/ok", ok)
	router.Put("/ok", ok)
	router.Get("/boom", boom)
	router.Get("/acao", own)
	return router
}

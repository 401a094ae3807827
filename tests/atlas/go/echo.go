package main

import (
	"net/http"

	"github.com/labstack/echo/v5"
	"github.com/labstack/echo/v5/middleware"
)

// Echo's middleware.CORS.
func withEcho() http.Handler {
	router := echo.New()
	router.Use(middleware.Recover())
	router.Use(middleware.CORSWithConfig(middleware.CORSConfig{
		AllowOrigins:     []string{origin},
		AllowMethods:     methods,
		AllowHeaders:     headers,
		ExposeHeaders:    exposed,
		AllowCredentials: true,
		MaxAge:           maxAge,
	}))
	wrapped := func(handler http.HandlerFunc) echo.HandlerFunc {
		return func(c *echo.Context) error {
			handler(c.Response(), c.Request())
			return nil
		}
	}
	router.GET("/ok", wrapped(ok))
	router.PUT("/ok", wrapped(ok))
	router.GET("/boom", wrapped(boom))
	router.GET("/acao", wrapped(own))
	return router
}

package main

import (
	"net/http"
	"time"

	"github.com/gin-contrib/cors"
	"github.com/gin-gonic/gin"
)

// gin-contrib/cors.
func withGin() http.Handler {
	config := cors.Config{
		AllowMethods:     methods,
		AllowHeaders:     headers,
		ExposeHeaders:    exposed,
		AllowCredentials: true,
		MaxAge:           maxAge * time.Second,
	}
	if isAny {
		config.AllowAllOrigins = true
	} else {
		config.AllowOrigins = []string{origin}
	}
	gin.SetMode(gin.ReleaseMode)
	router := gin.New()
	router.Use(gin.Recovery(), cors.New(config))
	router.GET("/ok", gin.WrapF(ok))
	router.PUT("/ok", gin.WrapF(ok))
	router.GET("/boom", gin.WrapF(boom))
	router.GET("/acao", gin.WrapF(own))
	return router
}
